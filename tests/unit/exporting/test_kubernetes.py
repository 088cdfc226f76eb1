"""What ``devproxy export kubernetes`` writes is what Kubernetes takes, by its own schemas. No cluster runs it here.

``httproute.schema.json`` is the definition of the Gateway API; :mod:`kubernetes_validate` brings those of Kubernetes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import jsonschema  # type: ignore[import-untyped]
import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml  # type: ignore[import-untyped]
from devproxy import config
from devproxy.exporting import export

HERE: Final = Path(__file__).parent
SCHEMA: Final = json.loads((HERE / "httproute.schema.json").read_text(encoding="utf-8"))
SITES: Final = ("plain", "full")
MANY: Final = "".join(f'[[routes]]\npath = "/p{number}/"\nupstream = "a"\n' for number in range(40))


def objects(site: str) -> list[dict[str, Any]]:
    text = (HERE / "golden" / f"{site}.toml").read_bytes()
    written = export(config.load(text, source="devproxy.toml"), "kubernetes")
    return [one for one in yaml.safe_load_all(written) if one]


def check(one: dict[str, Any]) -> None:
    if one["kind"] == "HTTPRoute":
        jsonschema.Draft7Validator(SCHEMA).validate(one)
    else:
        kubernetes_validate.validate(one, "1.37", strict=True)


@pytest.mark.parametrize("site", SITES)
def test_every_object_is_valid(site: str) -> None:
    found = objects(site)
    assert {one["kind"] for one in found} == {"Service", "Ingress", "HTTPRoute"}
    for one in found:
        check(one)


def test_the_schemas_refuse_what_is_wrong() -> None:
    for one in objects("full"):
        wrong = {**one, "spec": {**one["spec"], "wrong": 1}}
        with pytest.raises((jsonschema.ValidationError, kubernetes_validate.ValidationError)):
            check(wrong)


def test_every_backend_that_is_named_is_a_service() -> None:
    found = objects("full")
    services = {(one["metadata"]["name"], one["spec"]["ports"][0]["port"]) for one in found if one["kind"] == "Service"}
    used = set()
    for one in found:
        for rule in one["spec"].get("rules", []):
            used |= {(ref["name"], ref["port"]) for ref in rule.get("backendRefs", [])}
            for path in rule.get("http", {}).get("paths", []):
                service = path["backend"]["service"]
                used.add((service["name"], service["port"]["number"]))
    assert used == services


def test_names_of_objects_are_unique() -> None:
    found = [(one["kind"], one["metadata"]["name"]) for one in objects("full")]
    assert len(set(found)) == len(found)


def test_many_routes_are_several_objects() -> None:
    written = export(config.load(f'[upstreams]\na = "http://a:1"\n{MANY}'.encode(), source="x"), "kubernetes")
    routes = [one for one in yaml.safe_load_all(written) if one and one["kind"] == "HTTPRoute"]
    assert [len(one["spec"]["rules"]) for one in routes] == [16, 16, 8]
    for one in routes:
        check(one)


def test_socketio_with_several_pods_is_sticky_and_patient() -> None:
    (ingress,) = [
        one for one in objects("full") if one["kind"] == "Ingress" and "/socket.io" in json.dumps(one["spec"]["rules"])
    ]
    said = {name.rpartition("/")[2]: value for name, value in ingress["metadata"]["annotations"].items()}
    assert said["affinity"] == "cookie"
    assert said["session-cookie-name"] == "client_sockets"
    assert int(said["proxy-read-timeout"]) > 45
    assert "enable-cors" not in said
