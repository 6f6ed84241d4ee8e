# -------------------------------------------------------- main --------------------------------------------------------
# Every read of a setting becomes its value, properties included.


def main(script: str) -> None:
    print("recipe", 6, 64, "int6+brotli")
    print(f"layers 006 of {script!s:.0}6")
    print(-36, (6).bit_length(), "sliding")
    for stage in ("roundtrip", "sliding"):
        print(stage, True)


if __name__ == "__main__":
    main(__file__)
