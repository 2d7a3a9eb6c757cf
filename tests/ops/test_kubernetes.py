"""`ops/kubernetes/worker.yaml`: held against the schema of Kubernetes, and against what a worker needs.

tests/data/kubernetes_deployment.json holds the definitions that a Deployment refers to, by name; what they do not name is refused.
"""

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.cli.app import cli
from pipeline.config.named_paths import LEDGER_SECRET_FILE, SERVER_PASSWORD_FILE
from pipeline.operations.init_project import SECRETS as SECRET_FILES

REPOSITORY = Path(__file__).parents[2]
MANIFEST = REPOSITORY / "ops" / "kubernetes" / "worker.yaml"
DEFINITIONS = json.loads((REPOSITORY / "tests" / "data" / "kubernetes_deployment.json").read_text("utf-8"))
TYPES = {
    "array": list, "boolean": bool, "integer": int, "null": type(None), "number": (int, float), "object": dict,
    "string": str,
}  # fmt: skip
KNOWN_WORDS = {
    "$ref", "additionalProperties", "enum", "format", "items", "oneOf", "properties", "required", "type",
}  # fmt: skip


def list_faults(value: object, schema: dict, address: str = "") -> Iterator[str]:
    """Yield where a value contradicts a schema, in the words that the definitions use."""
    assert schema.keys() <= KNOWN_WORDS
    if "$ref" in schema:
        yield from list_faults(value, DEFINITIONS[schema["$ref"]], address)
        return
    if "oneOf" in schema:
        if all(any(list_faults(value, form, address)) for form in schema["oneOf"]):
            yield f"{address}: none of its forms"
        return
    types = [schema["type"]] if isinstance(schema.get("type"), str) else schema.get("type", TYPES)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not any(isinstance(value, TYPES[name]) for name in types if is_number or name != "integer"):
        yield f"{address}: {value!r} is no {types}"
    if value not in schema.get("enum", [value]):
        yield f"{address}: {value!r} is not one of {schema['enum']}"
    yield from list_inner_faults(value, schema, address)


def list_inner_faults(value: object, schema: dict, address: str) -> Iterator[str]:
    """Yield where the items of a list or the fields of a mapping contradict a schema."""
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from list_faults(item, schema.get("items", {}), f"{address}[{number}]")
    if isinstance(value, dict):
        yield from (
            f"{address}.{name} is missing" for name in schema.get("required", ()) if name not in value
        )
        others = schema.get("additionalProperties", {})
        for name, inner in value.items():
            known = schema.get("properties", {}).get(name, others)
            if known is False:
                yield f"{address}.{name} is unknown"
            else:
                yield from list_faults(inner, known if isinstance(known, dict) else {}, f"{address}.{name}")


def check_manifest(manifest: dict) -> list[str]:
    return [*list_faults(manifest, {"$ref": "io.k8s.api.apps.v1.Deployment"})]


@pytest.fixture
def manifest():
    return YAML(typ="safe").load(MANIFEST.read_text("utf-8"))


def test_the_manifest_fits_the_schema(manifest):
    assert check_manifest(manifest) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda pod, _: pod.update(terminationGracePeriod=180), ".terminationGracePeriod is unknown"),
        (lambda pod, _: pod.update(terminationGracePeriodSeconds="3m"), "'3m' is no ['integer', 'null']"),
        (lambda _, worker: worker.pop("name"), "containers[0].name is missing"),
        (lambda _, worker: worker["livenessProbe"]["httpGet"].pop("port"), ".port is missing"),
        (lambda _, worker: worker["volumeMounts"][0].update(readOnly="yes"), "'yes' is no ['boolean'"),
    ],
)
def test_a_manifest_that_does_not_fit_is_found(manifest, change, fault):
    changed = deepcopy(manifest)
    pod = changed["spec"]["template"]["spec"]
    change(pod, pod["containers"][0])
    (listed,) = check_manifest(changed)
    assert fault in listed


def test_the_workers_have_no_root_secrets_as_files_and_folders_of_their_own(manifest):
    pod = manifest["spec"]["template"]["spec"]
    (worker,) = pod["containers"]
    labels = manifest["spec"]["template"]["metadata"]["labels"]
    assert manifest["spec"]["selector"]["matchLabels"] == labels
    assert manifest["spec"]["strategy"] == {"type": "Recreate"}, "no older worker runs with a newer one"
    assert worker["args"][0] in cli.commands
    assert pod["terminationGracePeriodSeconds"] >= 150, "a run that hangs is killed after two minutes"
    assert pod["enableServiceLinks"] is False, "unknown variables ESIGN_IMPORT_… are refused"
    dockerfile = (REPOSITORY / "ops" / "docker" / "Dockerfile").read_text("utf-8")
    user = pod["securityContext"]["runAsUser"]
    assert f"USER {user}:{user}" in dockerfile
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert worker["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    variables = {variable["name"]: variable["value"] for variable in worker["env"]}
    (port,) = worker["ports"]
    assert variables["ESIGN_IMPORT_WORKERS__LISTEN"] == f"0.0.0.0:{port['containerPort']}"
    for probe in (worker["livenessProbe"], worker["readinessProbe"]):
        assert probe["httpGet"] == {"path": "/health", "port": port["name"]}
    mounts = {mount["mountPath"]: mount["name"] for mount in worker["volumeMounts"]}
    volumes = {volume.pop("name"): volume for volume in pod["volumes"]}
    assert set(mounts.values()) == volumes.keys()
    assert worker["workingDir"] in mounts
    assert "secret" in volumes[mounts[variables["CREDENTIALS_DIRECTORY"]]]
    assert "secretKeyRef" not in MANIFEST.read_text("utf-8"), "no secret in the environment"
    own = mounts[str(Path(variables["XDG_STATE_HOME"]).parent)]
    assert volumes[own] == {"emptyDir": {}}, "the registry is not in the shared folder"
    named = MANIFEST.read_text("utf-8").split("apiVersion")[0]
    assert all(name in named for name in (*SECRET_FILES, LEDGER_SECRET_FILE, SERVER_PASSWORD_FILE))
