"""Settings: precedence, what is refused, and the key that is made beyond loopback."""

import stat

import pytest

from gateway import settings as s
from gateway.domain.errors import SettingsError
from gateway.endpoints import endpoints, lack
from gateway.metering.models import ModelMap
from gateway.providers.catalog import Catalog

STRONG = "a-Long-Enough-Secret-42"


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setattr(s, "ROOT_FOLDER", tmp_path)
    monkeypatch.setattr(s, "SERVICE_FOLDER", tmp_path)
    return tmp_path / "gateway.toml"


def test_the_defaults_are_the_documented_ones(config):
    settings = s.load({})
    assert (settings.server.api_host, settings.server.api_port) == ("127.0.0.1", 5000)
    assert settings.database == config.parent / "litellm_usage.db"
    assert settings.providers["demo"].configured
    assert not settings.providers["openai"].configured


def test_the_environment_wins_over_dotenv_which_wins_over_the_file(config):
    config.write_text('[server]\napi_port = 1\nlog_level = "error"\nmax_body_bytes = 5000\n')
    (config.parent / ".env").write_text("API_PORT=2\nLOG_LEVEL=warning\n")
    server = s.load({"API_PORT": "3"}).server
    assert (server.api_port, server.log_level, server.max_body_bytes) == (3, "warning", 5000)
    assert s.load({}, port=9).server.api_port == 2


def test_a_secret_may_lie_in_a_file(config, tmp_path):
    (tmp_path / "key").write_text("sk-from-a-file\n")
    assert s.load({"OPENAI_API_KEY": f"file:{tmp_path / 'key'}"}).providers["openai"].api_key == "sk-from-a-file"


def test_a_provider_can_be_added_redirected_and_sent_through_litellm(config):
    config.write_text('[providers.my-vllm]\nbase_url = "http://10.0.0.5:8000/v1"\n[providers.groq]\nvia = "litellm"\n')
    settings = s.load({"OPENAI_BASE_URL": "http://127.0.0.1:9/v1", "PROVIDERS_VIA_LITELLM": "mistral, xai"})
    assert settings.providers["my-vllm"].configured
    assert settings.providers["openai"].base_url == "http://127.0.0.1:9/v1"
    assert [name for name in ("groq", "mistral", "xai", "openai") if settings.providers[name].via_litellm] == [
        "groq",
        "mistral",
        "xai",
    ]


@pytest.mark.parametrize(
    ("environment", "names"),
    [
        ({"API_PORT": "nonsense"}, "api_port"),
        ({"API_PORT": "70000"}, "API_PORT"),
        ({"GATEWAY_ADMIN_KEY": "short"}, "GATEWAY_ADMIN_KEY"),
        ({"GATEWAY_ADMIN_KEY": "a" * 40}, "GATEWAY_ADMIN_KEY"),
        ({"CORS_ORIGINS": "*"}, "CORS_ORIGINS"),
        ({"TLS_CERT": "x.pem"}, "TLS_CERT"),
        ({"OPENAI_BASE_URL": "not a url"}, "OPENAI_BASE_URL"),
        ({"PROVIDERS_VIA_LITELLM": "nobody"}, "PROVIDERS_VIA_LITELLM"),
        ({"DATABASE_URL": "mysql://x"}, "DATABASE_URL"),
        ({"OPENAI_API_KEY": "file:/nowhere/at/all"}, "OPENAI_API_KEY"),
        ({"GATEWAY_CONFIG": "/nowhere.toml"}, "GATEWAY_CONFIG"),
        ({"MAX_BODY_BYTES": "1"}, "MAX_BODY_BYTES"),
    ],
)
def test_a_bad_setting_is_named(config, environment, names):
    with pytest.raises(SettingsError, match=names):
        s.load(environment)


@pytest.mark.parametrize(
    "text", ["[server]\nprot = 1\n", "[servers]\n", "not toml", "[providers.new]\ntitle = 'no address'\n"]
)
def test_a_bad_file_is_named(config, text):
    config.write_text(text)
    with pytest.raises(SettingsError):
        s.load({})


def test_on_loopback_nobody_needs_a_key(config):
    assert s.admin_key(s.load({})) == (None, False)


def test_beyond_loopback_a_key_is_made_once_and_kept_for_its_owner_only(config):
    settings = s.load({"API_HOST": "0.0.0.0"})
    key, is_new = s.admin_key(settings)
    assert is_new
    assert len(key) > 30
    assert stat.S_IMODE(settings.key_file.stat().st_mode) == 0o600
    assert s.admin_key(settings) == (key, False)


def test_a_configured_key_is_taken_everywhere(config):
    assert s.admin_key(s.load({"GATEWAY_ADMIN_KEY": STRONG})) == (STRONG, False)


def test_a_key_file_that_was_emptied_is_refused(config):
    settings = s.load({"API_HOST": "0.0.0.0"})
    settings.key_file.write_text("")
    with pytest.raises(SettingsError, match=r"gateway_admin\.key"):
        s.admin_key(settings)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.9.9.9"])
def test_loopback_is_this_machine_only(host):
    assert s.is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example"])
def test_everything_else_can_be_reached_by_others(host):
    assert not s.is_loopback(host)


def test_azure_needs_the_address_of_a_resource_beside_the_key(config):
    without = s.load({"AZURE_API_KEY": "k"}).providers["azure"]
    assert not without.configured
    assert "AZURE_BASE_URL" in (lack(without) or "")
    for address in ("https://x.openai.azure.com", "https://x.openai.azure.com/openai/v1/"):
        settings = s.load({"AZURE_API_KEY": "k", "AZURE_BASE_URL": address})
        found = endpoints(settings)["azure"]
        assert (found.path, b"api-key: k\r\n" in found.headers, lack(settings.providers["azure"])) == (
            "/openai/v1",
            True,
            None,
        )


def test_another_account_of_a_known_provider_is_like_it(config):
    config.write_text('[providers.openai-eu]\nlike = "openai"\nbase_url = "https://eu.api.openai.com/v1"\n')
    setting = s.load({"OPENAI_EU_API_KEY": "k-eu", "OPENAI_API_KEY": "k"}).providers["openai-eu"]
    assert (setting.api_key, setting.configured, setting.base_url) == ("k-eu", True, "https://eu.api.openai.com/v1")
    assert (setting.row.output_limit_field, setting.row.prefixes) == ("max_completion_tokens", ("openai-eu",))
    found = ModelMap.load(Catalog([setting.row])).find("openai-eu", "gpt-4o")
    assert found is not None
    assert (found.canonical, found.terms is not None) == ("openai-eu/gpt-4o", True)
