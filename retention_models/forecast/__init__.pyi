from .by_group import new_customer_by_group as new_customer_by_group
from .by_group import status_by_group as status_by_group
from .customers import predict as predict
from .customers import predict_total as predict_total
from .marginal_effects import marginal_effect as marginal_effect
from .marginal_effects import predict_new as predict_new
from .retention import forecast_retention as forecast_retention
from .retention import retention_triangle as retention_triangle
