"""The attention kernel's switch: SDPA on CPU whatever is installed, the flash kernel's layout and mask on CUDA."""

import pytest
import torch
from torch import Tensor

from toolkit.components.model.flash import causal_attention, flash_attention_3


def random_heads(device: str, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    return (
        torch.randn(2, 9, 4, 64, device=device, dtype=dtype),
        torch.randn(2, 9, 2, 64, device=device, dtype=dtype),
        torch.randn(2, 9, 2, 64, device=device, dtype=dtype),
    )


def test_cpu_never_calls_the_flash_kernel() -> None:
    def refuse(*args: Tensor, **options: bool) -> Tensor:
        raise AssertionError("the flash kernel runs on CUDA only")

    q, k, v = random_heads("cpu", torch.float32)
    y = causal_attention(refuse, q, k, v)
    assert torch.equal(y, causal_attention(None, q, k, v))
    torch.testing.assert_close(y[:, 0], v[:, 0].repeat_interleave(2, dim=1))  # the first position sees itself alone


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_flash_and_sdpa_agree_on_cuda() -> None:
    flash = flash_attention_3()
    if flash is None:
        pytest.skip("FlashAttention-3 is not installed")
    q, k, v = random_heads("cuda", torch.bfloat16)
    torch.testing.assert_close(causal_attention(flash, q, k, v), causal_attention(None, q, k, v), rtol=2e-2, atol=2e-2)
