"""What a value gained and what it cost the others; numpy and scipy only.

Ratings before and after become value states (`vat.elicit.states`); `vat.measure.tax.measure_tax` makes of them everything that is known about
one push; `compare` sets methods against each other; `power` plans. base.py and standard.py are what the main program sees.
"""
