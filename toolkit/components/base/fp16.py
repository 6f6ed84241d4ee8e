"""What half precision, in which steps are stored, can hold."""

SMALLEST_STEP = 5.960464477539063e-08  # 2^-24, the smallest number above zero in fp16
