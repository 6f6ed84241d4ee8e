import numpy


def a():
    return numpy.int64(1)
