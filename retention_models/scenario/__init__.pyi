from .churn_process import Rules as Rules
from .contracts import Subscriptions as Subscriptions
from .contracts import subscriptions as subscriptions
from .mailing import Arm as Arm
from .mailing import Trial as Trial
from .shop import Retail as Retail
from .shop import retail as retail
