@data
1,2,zwei
