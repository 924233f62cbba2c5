"""Make the README's picture, from real fits: ``make pictures``."""

from pathlib import Path

import mlpnb

grid = mlpnb.fit_grid(
    mlpnb.load_data(), mlpnb.Settings(), recipes=(mlpnb.SKLEARN, mlpnb.KERAS_1, mlpnb.KERAS_2, mlpnb.MATCHED)
)
Path(__file__).with_name("grid.png").write_bytes(mlpnb.plot_grid(grid).png())
print(grid.describe())
