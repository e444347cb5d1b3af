//! The components: monitoring is made from the documents, and the further interfaces lead to ports that there are.

use serde_json::{Value, json};

use crate::file;
use crate::kustomized::{documents, objects};

/// Makes files anew that are made from others.
const RENEW: &str = "HERD_RENEW_DOCUMENTS";

const RULE: &str = "k8s/monitoring/prometheusrule.yaml";

/// The rule as it has to be: its own head, then the groups of the alerts.
fn rule_of_alerts() -> String {
    let (rule, alerts) = (file(RULE), file("docs/monitoring/alerts.yaml"));
    let (head, _) = rule.split_once("\nspec:\n").unwrap();
    let (_, groups) = alerts.split_once("\ngroups:\n").unwrap();
    let mut text = format!("{head}\nspec:\n  groups:\n");
    for line in groups.lines() {
        text += &format!("  {line}\n");
    }
    text
}

#[test]
fn the_rule_has_the_alerts_of_the_documents() {
    let made = rule_of_alerts();
    if std::env::var_os(RENEW).is_some() {
        let path = herd_integration_tests::containers::folder()
            .join("..")
            .join(RULE);
        std::fs::write(path, &made).unwrap();
        return;
    }
    assert!(file(RULE) == made, "{RENEW}=1 renews {RULE}");
    let alerts = documents("docs/monitoring/alerts.yaml");
    assert_eq!(documents(RULE)[0]["spec"]["groups"], alerts[0]["groups"]);
}

fn find<'o>(objects: &'o [Value], kind: &str, name: &str) -> &'o Value {
    let mut found = objects
        .iter()
        .filter(|object| object["kind"] == kind && object["metadata"]["name"] == name);
    found.next().unwrap()
}

#[test]
fn the_monitor_scrapes_the_pods_under_the_name_of_the_job() {
    let objects = objects(&["monitoring"]);
    let monitor = find(&objects, "PodMonitor", "herd");
    let set = find(&objects, "StatefulSet", "herd");
    let template = &set["spec"]["template"];
    assert_eq!(monitor["spec"]["selector"], set["spec"]["selector"]);
    // The job, which dashboard and alerts ask for.
    let label = monitor["spec"]["jobLabel"].as_str().unwrap();
    assert_eq!(template["metadata"]["labels"][label], "herd");
    let ports = template["spec"]["containers"][0]["ports"]
        .as_array()
        .unwrap();
    let port = &monitor["spec"]["podMetricsEndpoints"][0]["port"];
    assert!(ports.iter().any(|other| other["name"] == *port));
}

#[test]
fn the_further_interfaces_are_served_and_let_in() {
    let objects = objects(&["interfaces"]);
    let set = find(&objects, "StatefulSet", "herd");
    let container = &set["spec"]["template"]["spec"]["containers"][0];
    let ports = container["ports"].as_array().unwrap();
    let number = |name: &Value| {
        let port = ports.iter().find(|port| port["name"] == *name);
        port.unwrap()["containerPort"].clone()
    };
    let env = container["env"].as_array().unwrap();
    let variable = |name: &str| {
        let found = env.iter().find(|variable| variable["name"] == name);
        found.unwrap()["value"].as_str().unwrap().to_owned()
    };
    let listen = format!("0.0.0.0:{}", number(&json!("resp")));
    assert_eq!(variable("HERD_RESP_LISTEN"), listen);
    assert_eq!(variable("HERD_HTTP_LOCATIONS"), "true");
    let service = find(&objects, "Service", "herd");
    assert_eq!(service["metadata"]["name"], variable("HERD_HTTP_HOSTS"));
    let of_service = service["spec"]["ports"].as_array().unwrap();
    assert_eq!(of_service.len(), 3);
    for port in of_service {
        assert_eq!(port["port"], number(&port["targetPort"]));
    }
    let policy = find(&objects, "NetworkPolicy", "herd-interfaces");
    let rule = &policy["spec"]["ingress"][0];
    let base = find(&objects, "NetworkPolicy", "herd");
    assert_eq!(rule["from"], base["spec"]["ingress"][0]["from"]);
    for port in rule["ports"].as_array().unwrap() {
        number(&port["port"]);
    }
    assert_eq!(policy["spec"]["podSelector"], base["spec"]["podSelector"]);
}
