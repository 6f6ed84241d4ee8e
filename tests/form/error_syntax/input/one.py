def a():
    return return
