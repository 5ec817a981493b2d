"""What is asked: the probes of a data source, their split into train and test scenes, and the question put to a model."""
