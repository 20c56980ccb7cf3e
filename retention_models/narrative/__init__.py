"""The words of the pages: sentences, overviews and number formats for the notebooks.

This is the only room that writes sentences for pages; the other rooms return numbers and flags. Its names may change.

- ``overview``: a log of purchases in a few facts; ``contract_overview``, ``business_traits``
- ``customer_base_sentence``: what the base is worth; ``value_sentence``, ``saving_sentence``
- ``forecast_sentence``: a forecast with its past errors; ``past_error_sentences``
- ``recommendation``: which arm of a campaign to use next
- ``three_digits``: a number to three significant digits; ``with_intervals`` for frames

>>> import retention_models as rm
>>> rm.narrative.three_digits(1665.513)
'1,666'
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
