"""How strongly texts hold a value: rankings → Plackett–Luce utilities → intensities from −10 to 10 (ValueFlow)."""
