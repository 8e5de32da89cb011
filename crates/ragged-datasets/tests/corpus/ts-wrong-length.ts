@equalLength true
@seriesLength 3
@data
1,2
