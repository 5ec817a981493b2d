"""What training a model of 4 billion weights keeps in a GPU's memory. Computed from bytes a weight, not measured; activations come on top.

python benchmarks/training_memory.py     # a table, in seconds; nothing is downloaded

With AdamW, in bfloat16 arithmetic as `vat.align.trainer` sets it up. Without DeepSpeed weights, gradients and both moments are float32, and the
gradients once more where several GPUs exchange them. With it, weights and gradients are bfloat16, and the optimizer keeps a float32 copy beside
its two moments; N GPUs share out the optimizer (ZeRO-1), the gradients too (2), the weights too (3). Preference optimisation of all weights
adds those of the reference model.
"""

from __future__ import annotations

import peft
import torch
import transformers

GIB = 2**30
GPUS = (1, 2, 4, 8)
QWEN3_4B = {
    "vocab_size": 151_936, "hidden_size": 2560, "intermediate_size": 9728, "num_hidden_layers": 36, "num_attention_heads": 32,
    "num_key_value_heads": 8, "head_dim": 128, "tie_word_embeddings": True,
}  # fmt: skip
"""As Qwen publishes it for Qwen3-4B-Instruct-2507."""


def main() -> None:
    with torch.device("meta"):
        model = transformers.Qwen3ForCausalLM(transformers.Qwen3Config(**QWEN3_4B))
        weights = model.num_parameters()
        adapter = peft.get_peft_model(model, peft.LoraConfig(r=16, target_modules="all-linear")).get_nb_trainable_parameters()[0]
    print(f"{weights / 1e9:.2f} billion weights, {adapter / 1e6:.0f} million of an adapter (r=16, all linear layers); GiB a GPU, computed")
    print(f"| GPUs | {' | '.join(map(str, GPUS))} | reference model |\n|{'---|' * (len(GPUS) + 2)}")
    for name, bytes_of, reference in (
        ("without DeepSpeed", lambda n: 16 + 4 * (n > 1), 4.0),
        ("ZeRO-1", lambda n: 4 + 12 / n, 2.0),
        ("ZeRO-2", lambda n: 2 + 14 / n, 2.0),
        ("ZeRO-2, optimizer offloaded", lambda n: 2 + 2 / n, 2.0),
        ("ZeRO-3", lambda n: 16 / n, None),
    ):
        shared = [bytes_of(n) * weights / GIB for n in GPUS]
        beside = "its share" if reference is None else f"+{reference * weights / GIB:.0f}"
        print(f"| {name} | {' | '.join(f'{gib:.0f}' for gib in shared)} | {beside} |")
    print(f"| LoRA, without DeepSpeed | {' | '.join([f'{(2 * weights + 16 * adapter) / GIB:.0f}'] * len(GPUS))} | none |")


if __name__ == "__main__":
    main()
