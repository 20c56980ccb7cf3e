from .bgbb import BGBB as BGBB
from .bgnbd import BGNBD as BGNBD
from .cnbd import BGCNBD as BGCNBD
from .cnbd import MBGCNBD as MBGCNBD
from .gammagamma import GammaGamma as GammaGamma
from .mbgnbd import MBGNBD as MBGNBD
from .nbd import NBD as NBD
from .paretonbd import ParetoNBD as ParetoNBD
