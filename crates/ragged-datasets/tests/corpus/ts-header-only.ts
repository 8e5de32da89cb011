@classLabel true a b
@data
