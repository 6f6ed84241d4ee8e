def area():
    return 2


def other():
    return area()
