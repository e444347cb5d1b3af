//! The objects that `kubectl apply -k k8s` makes: a small part of kustomize, compared with the real one where kubectl or
//! kustomize is at hand.

use std::path::Path;
use std::process::Command;

use herd_integration_tests::containers::{Manifests, folder};
use serde_json::{Map, Value, json};

use crate::file;

/// Lists whose elements a patch finds by a field, and this field. Other lists are replaced.
const KEYS: [(&str, &str); 5] = [
    ("containers", "name"),
    ("env", "name"),
    ("volumeMounts", "mountPath"),
    ("volumes", "name"),
    ("ports", "name"),
];

/// The documents of a YAML file, by its path in the repository.
pub(crate) fn documents(path: &str) -> Vec<Value> {
    let text = file(path);
    let documents = text.split("\n---\n");
    documents
        .map(|document| serde_saphyr::from_str(document).unwrap())
        .collect()
}

fn texts(value: &Value) -> Vec<String> {
    let values = value.as_array().into_iter().flatten();
    values
        .map(|value| value.as_str().unwrap().to_owned())
        .collect()
}

/// Whether two objects are of one kind and name.
fn are_same(a: &Value, b: &Value) -> bool {
    a["kind"] == b["kind"] && a["metadata"]["name"] == b["metadata"]["name"]
}

/// Changes `object` as a strategic merge patch does, as far as ours go.
fn merge(object: &mut Value, patch: &Value, name: &str) {
    match (object, patch) {
        (Value::Object(object), Value::Object(patch)) => {
            for (key, value) in patch {
                if value.is_null() {
                    object.remove(key);
                } else {
                    merge(object.entry(key).or_insert(Value::Null), value, key);
                }
            }
        }
        (Value::Array(elements), Value::Array(patches)) => {
            let key = KEYS.iter().find(|(list, _)| *list == name);
            let Some((_, key)) = key else {
                elements.clone_from(patches);
                return;
            };
            for patch in patches {
                match elements.iter_mut().find(|old| old[key] == patch[key]) {
                    Some(old) => merge(old, patch, ""),
                    None => elements.push(patch.clone()),
                }
            }
        }
        (object, patch) => *object = patch.clone(),
    }
}

/// The objects of `k8s/kustomization.yaml` with these components.
pub(crate) fn objects(components: &[&str]) -> Vec<Value> {
    let manifests = Manifests::read().unwrap();
    let mut objects = Vec::new();
    for resource in &manifests.resources {
        objects.extend(documents(&format!("k8s/{resource}")));
    }
    let (config_map, texts_of_map) = &manifests.config_map;
    objects.push(json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": config_map},
        "data": texts_of_map,
    }));
    let labels = manifests.labels.iter();
    let labels: Map<String, Value> = labels.map(|(k, v)| (k.clone(), json!(v))).collect();
    for object in &mut objects {
        merge(&mut object["metadata"], &json!({"labels": labels}), "");
        if object["kind"] == "StatefulSet" {
            object["spec"]["replicas"] = json!(manifests.replicas);
            let image = &mut object["spec"]["template"]["spec"]["containers"][0]["image"];
            let tag = &manifests.images[image.as_str().unwrap()];
            *image = json!(format!("{}:{tag}", image.as_str().unwrap()));
        }
    }
    for component in components {
        let of_component = documents(&format!("k8s/{component}/kustomization.yaml"));
        for resource in texts(&of_component[0]["resources"]) {
            objects.extend(documents(&format!("k8s/{component}/{resource}")));
        }
        for patch in of_component[0]["patches"].as_array().into_iter().flatten() {
            let path = patch["path"].as_str().unwrap();
            for patch in documents(&format!("k8s/{component}/{path}")) {
                let mut same = objects.iter_mut().filter(|object| are_same(object, &patch));
                merge(same.next().unwrap(), &patch, "");
            }
        }
    }
    objects
}

/// Without what two ways to the same objects may do differently: order, the hash in the name of the ConfigMap, and
/// labels of the objects themselves, which kustomize gives only to those of the base.
pub(crate) fn comparable(objects: Vec<Value>) -> Vec<Value> {
    fn sort(value: &mut Value) {
        match value {
            Value::Object(fields) => fields.values_mut().for_each(sort),
            Value::Array(elements) => {
                elements.iter_mut().for_each(sort);
                elements.sort_by_key(Value::to_string);
            }
            Value::String(text) if text.starts_with("herd-topology-") => {
                *text = "herd-topology".to_owned();
            }
            _ => {}
        }
    }
    let mut objects = Value::Array(objects);
    for object in objects.as_array_mut().into_iter().flatten() {
        object["metadata"]["labels"].take();
    }
    sort(&mut objects);
    match objects {
        Value::Array(objects) => objects,
        _ => unreachable!("it was made of a list"),
    }
}

/// The objects that a real kustomize makes of a folder; nothing if there is none.
fn real(folder: &Path) -> Option<Vec<Value>> {
    for program in [&["kustomize", "build"][..], &["kubectl", "kustomize"]] {
        let mut command = Command::new(program[0]);
        let Ok(output) = command.args(&program[1..]).arg(folder).output() else {
            continue;
        };
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        let text = String::from_utf8(output.stdout).unwrap();
        let documents = text.split("\n---\n");
        let documents = documents.map(|document| serde_saphyr::from_str(document).unwrap());
        return Some(documents.collect());
    }
    eprintln!("neither kustomize nor kubectl is there to compare with");
    None
}

#[test]
fn kustomize_makes_the_same_objects() {
    for components in [&[][..], &["interfaces", "monitoring", "online-places"]] {
        let overlay = tempfile::TempDir::with_prefix_in("kustomized-", env!("CARGO_TARGET_TMPDIR"));
        let overlay = overlay.unwrap();
        let base = pathdiff(&folder(), overlay.path());
        let components_of_it: Vec<String> = components
            .iter()
            .map(|component| format!("{base}/{component}"))
            .collect();
        let kustomization = json!({"resources": [base], "components": components_of_it});
        let path = overlay.path().join("kustomization.yaml");
        std::fs::write(path, kustomization.to_string()).unwrap();
        let Some(real) = real(overlay.path()) else {
            return;
        };
        let (real, own) = (comparable(real), comparable(objects(components)));
        for (real, own) in real.iter().zip(&own) {
            assert_eq!(real, own);
        }
        assert_eq!(real.len(), own.len());
    }
}

#[test]
fn the_example_of_three_zones_can_be_rendered() {
    let example = folder().join("../examples/kubernetes/zones");
    let Some(objects) = real(&example) else {
        return;
    };
    let set = objects
        .iter()
        .find(|object| object["kind"] == "StatefulSet");
    let set = set.unwrap();
    assert_eq!(set["metadata"]["namespace"], "herd");
    let pod = &set["spec"]["template"]["spec"];
    let image = pod["containers"][0]["image"].as_str().unwrap();
    assert!(image.starts_with("registry.example.org/herd:"), "{image}");
    let mounts = pod["containers"][0]["volumeMounts"].as_array().unwrap();
    assert_eq!(mounts.len(), pod["volumes"].as_array().unwrap().len() + 1);
}

/// The way from `from` to `to`, both absolute: kustomize takes no absolute paths.
fn pathdiff(to: &Path, from: &Path) -> String {
    let up = "../".repeat(from.canonicalize().unwrap().components().count() - 1);
    let to = to.canonicalize().unwrap();
    format!("{up}{}", to.strip_prefix("/").unwrap().display())
}
