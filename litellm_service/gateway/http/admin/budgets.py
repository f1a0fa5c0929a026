"""`/api/budgets`: money per period for keys, users, applications, models or everything."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gateway.administration.input import BudgetFields, NewBudget
from gateway.domain.budget import Budget
from gateway.http.admin.wire import actor, administration, answer, page, read

_new = msgspec.json.Decoder(NewBudget)
_fields = msgspec.json.Decoder(BudgetFields)


async def listed(request: Request) -> Response:
    """Every budget, the oldest first, and how it stands."""
    office = administration(request)
    standing = office.standing()
    return page(request, "budgets", office.budgets(), lambda found: [standing.view(budget) for budget in found])


async def created(request: Request) -> Response:
    """The new budget; what is spent already in the current period counts."""
    given = await read(request, _new)
    return _answer(request, await administration(request).create_budget(actor(request), given))


async def shown(request: Request) -> Response:
    """One budget, and which running requests hold how much of it."""
    office = administration(request)
    budget = office.budget(_id(request))
    return answer({**office.standing().view(budget), "holds": office.holds(budget)})


async def changed(request: Request) -> Response:
    """The fields that are sent are changed."""
    given = await read(request, _fields)
    return _answer(request, await administration(request).change_budget(actor(request), _id(request), given))


async def deleted(request: Request) -> Response:
    """It refuses nothing any more."""
    await administration(request).delete_budget(actor(request), _id(request))
    return answer({"id": _id(request), "deleted": True})


def _answer(request: Request, budget: Budget) -> Response:
    return answer(administration(request).standing().view(budget))


def _id(request: Request) -> str:
    budget_id: str = request.path_params["budget_id"]
    return budget_id
