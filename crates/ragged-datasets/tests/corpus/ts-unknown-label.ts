@classLabel true a b
@data
1:c
