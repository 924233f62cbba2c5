"""Why a neural network with the same hyperparameters fits differently in scikit-learn and in Keras.

Importing this is light: nothing heavy (scikit-learn, matplotlib, TensorFlow) is imported before it is used. What is
public stands in ``__init__.pyi``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = "0.1.0"
