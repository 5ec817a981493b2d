"""The paper's figures. Each is one file here and one yaml in conf/figure/: what numbers it shows, and how a panel of them is drawn."""
