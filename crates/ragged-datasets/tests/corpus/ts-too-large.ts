@data
1,2e39
