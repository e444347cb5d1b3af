//! The Helm chart makes the objects of the kustomization, rendered by Helm's own code.

use std::io::Write as _;
use std::process::{Command, Stdio};

use herd_integration_tests::containers::folder;
use herd_integration_tests::helm;
use serde_json::{Value, json};

use crate::file;
use crate::kustomized::{comparable, documents, objects};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/manifests/helm.py");

/// The objects that the chart makes of each of these values, or the error; nothing if there is no Helm.
fn rendered(all_values: &[Value]) -> Option<Vec<Result<Vec<Value>, String>>> {
    let python = helm::python()?;
    let mut command = Command::new(python);
    command.args([SCRIPT.into(), folder().join("chart")]);
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = piped.stderr(Stdio::null()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for values in all_values {
        writeln!(stdin, "{values}").unwrap();
    }
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let results = text
        .lines()
        .map(|line| match serde_json::from_str(line).unwrap() {
            Value::String(error) => Err(error),
            Value::Array(texts) => Ok(objects_of(&texts)),
            other => panic!("{other}"),
        });
    let results: Vec<_> = results.collect();
    assert_eq!(results.len(), all_values.len());
    Some(results)
}

fn objects_of(texts: &[Value]) -> Vec<Value> {
    let documents = texts
        .iter()
        .flat_map(|text| text.as_str().unwrap().split("\n---\n"));
    let there = documents.filter(|document| !document.trim().is_empty());
    there
        .map(|document| serde_saphyr::from_str(document).unwrap())
        .collect()
}

#[test]
fn the_chart_makes_the_objects_of_the_kustomization() {
    let components = json!({"interfaces": {"enabled": true}, "monitoring": {"enabled": true}});
    let Some(results) = rendered(&[json!({}), components]) else {
        return;
    };
    for (result, components) in results
        .into_iter()
        .zip([&[][..], &["interfaces", "monitoring"]])
    {
        let of_chart = result.unwrap();
        for object in &of_chart {
            let labels = &object["metadata"]["labels"];
            assert_eq!(labels["app.kubernetes.io/name"], "herd", "{object}");
        }
        let of_kustomize = comparable(objects(components));
        let of_chart = comparable(of_chart);
        for (chart, kustomize) in of_chart.iter().zip(&of_kustomize) {
            assert_eq!(chart, kustomize);
        }
        assert_eq!(of_chart.len(), of_kustomize.len());
    }
}

#[test]
fn values_change_what_they_say() {
    let two = "cluster c\nserver A client herd-0.herd-peers:12000 peer herd-0.herd-peers:14000 http herd-0.herd-peers:13000\n\
               server B client herd-1.herd-peers:12000 peer herd-1.herd-peers:14000 http herd-1.herd-peers:13000\nlink A B\n";
    let values = json!({
        "topology": two,
        "image": {"repository": "r.example.org/herd", "tag": "1", "pullSecrets": [{"name": "p"}]},
        "clientTls": {"secret": "t"},
        "tokens": {"secret": "k"},
        "env": [{"name": "HERD_EXPIRE_AFTER", "value": "1day"}],
        "service": {"type": "LoadBalancer", "annotations": {"a": "b"}, "externalTrafficPolicy": "Local"},
        "clientNetworks": ["203.0.113.0/24"],
        "storage": {"size": "5Gi", "className": "fast"},
        "zones": "DoNotSchedule",
    });
    let wrong = [
        json!({"replicas": 3}),
        json!({"ack": "twice"}),
        json!({"resources": {"limits": {"memory": null}}}),
        json!({"links": {"secret": ""}}),
    ];
    let Some(results) = rendered(&[&[values], &wrong[..]].concat()) else {
        return;
    };
    let of_kind = |kind: &str| {
        let objects = results[0].as_ref().unwrap().iter();
        let mut of_kind = objects.filter(move |object| object["kind"] == kind);
        of_kind.next().unwrap().clone()
    };
    let set = of_kind("StatefulSet");
    assert_eq!(set["spec"]["replicas"], 2);
    assert_eq!(of_kind("ConfigMap")["data"]["topology"], two);
    let pod = &set["spec"]["template"]["spec"];
    assert_eq!(pod["containers"][0]["image"], "r.example.org/herd:1");
    let said = pod.to_string();
    for part in [
        "HERD_CLIENT_TLS_CERT",
        "HERD_TOKENS",
        "HERD_EXPIRE_AFTER",
        "DoNotSchedule",
    ] {
        assert!(said.contains(part), "{part}");
    }
    let claim = &set["spec"]["volumeClaimTemplates"][0]["spec"];
    assert_eq!(claim["storageClassName"], "fast");
    let objects = results[0].as_ref().unwrap();
    let is_balanced = |object: &Value| object["spec"]["type"] == "LoadBalancer";
    assert_eq!(objects.iter().filter(|o| is_balanced(o)).count(), 1);
    let policy = of_kind("NetworkPolicy").to_string();
    assert!(policy.contains("203.0.113.0/24"), "{policy}");
    for result in &results[1..] {
        assert!(result.is_err(), "{result:?}");
    }
}

#[test]
fn the_chart_has_the_version_of_the_program() {
    let [chart] = &documents("k8s/chart/Chart.yaml")[..] else {
        panic!("not one document");
    };
    assert_eq!(chart["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn the_chart_has_topology_and_alerts_of_their_places() {
    for (in_chart, place) in [
        ("k8s/chart/files/topology", "k8s/topology"),
        ("k8s/chart/files/alerts.yaml", "docs/monitoring/alerts.yaml"),
    ] {
        // Links, where the system has them.
        assert_eq!(file(in_chart), file(place));
    }
}
