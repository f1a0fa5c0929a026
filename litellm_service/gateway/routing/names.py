"""Names of models: prefixes, bare names and aliases."""

from collections.abc import Callable, Mapping

from gateway.domain.errors import ProviderNotConfigured, UnknownModel
from gateway.providers.deployment import Deployment, Endpoint, headers_of

CACHE_SIZE = 10_000
MAX_ALIAS_DEPTH = 8


class Names:
    """Finds the deployment that serves a name.

    `endpoints` has every provider that is known, by prefix; `provider_of` says whose a bare name is (`None`: nobody's),
    `nearest` which names look like one, `missing` what to do for a provider that is not configured (`None`: it is).
    """

    def __init__(
        self,
        endpoints: Mapping[str, Endpoint],
        aliases: Mapping[str, str],
        *,
        provider_of: Callable[[str], str | None],
        nearest: Callable[[str], list[str]],
        missing: Mapping[str, str],
    ) -> None:
        self._endpoints = endpoints
        self._aliases = aliases
        self._provider_of = provider_of
        self._nearest = nearest
        self._missing = missing
        self._cache: dict[str, Deployment] = {}

    def deployment(self, model: str) -> Deployment:
        """Raises `UnknownModel` or `ProviderNotConfigured`, both of which say what to do."""
        found = self._cache.get(model)
        if found is None:
            found = self._find(model)
            if len(self._cache) >= CACHE_SIZE:
                self._cache.clear()
            self._cache[model] = found
        return found

    def _find(self, model: str) -> Deployment:
        prefix, name = self._split(self.unaliased(model))
        endpoint = self._endpoints[prefix]
        provider = endpoint.provider
        if provider.name in self._missing:
            raise ProviderNotConfigured(self._missing[provider.name])
        canonical = f"{provider.name}/{name}"
        return Deployment(endpoint, canonical, name, headers_of(provider.name, canonical))

    def unaliased(self, model: str) -> str:
        """The name behind an alias; raises `UnknownModel` for aliases that lead in a circle."""
        for _ in range(MAX_ALIAS_DEPTH):
            if model not in self._aliases:
                return model
            model = self._aliases[model]
        raise UnknownModel(f"The alias {model!r} leads in a circle; mend [aliases] in gateway.toml.", param="model")

    def _split(self, model: str) -> tuple[str, str]:
        prefix, slash, name = model.partition("/")
        if slash and name and prefix in self._endpoints:
            return prefix, name
        provider = self._provider_of(model)
        if provider is None:
            raise UnknownModel(self._unknown(model), param="model")
        return provider, model

    def _unknown(self, model: str) -> str:
        near = self._nearest(model)
        hint = f" Did you mean {', '.join(near)}?" if near else ""
        return f"No provider is known for the model {model[:100]!r}.{hint} Name it as provider/model; GET /api/models lists them."
