"""The embedded model: a Qwen3 of under a million parameters that rates template actions by a planted rule, with its recipe.

What it is for: proving the plumbing and teaching the measures, on any laptop, in seconds. What it is not: a finding. It knows the
text of data=template only, and how pushing one value moves the others along the circle was planted in it (rule.py).
"""

from pathlib import Path

FOLDER = Path(__file__).with_name("weights")
CAVEAT = "model=tiny knows template text only and its leakage along the circle is planted: its numbers show the plumbing, never a finding."
