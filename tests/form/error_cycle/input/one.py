from toolkit.components.two import b


def a():
    b()
