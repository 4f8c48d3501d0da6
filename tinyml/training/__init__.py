"""Training: data sets become int8 examples, a Keras model is fitted on them, evaluated and quantised."""
