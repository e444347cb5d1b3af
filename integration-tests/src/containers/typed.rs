//! Manifests as typed objects, of which no field is lost on the way.

use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The folder of the manifests.
pub fn folder() -> PathBuf {
    let mut path = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    path.pop();
    path.join("k8s")
}

/// Every YAML file of the manifests that is an object of Kubernetes, with its path inside
/// [`folder`].
///
/// # Errors
/// If a folder or file cannot be read.
pub fn documents() -> anyhow::Result<Vec<(PathBuf, String)>> {
    let mut documents = Vec::new();
    for inside in ["", "online-places", "cert-manager"] {
        for entry in folder().join(inside).read_dir()? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            if path.extension().is_some_and(|end| end == "yaml")
                && name != Some("kustomization.yaml")
            {
                let text = std::fs::read_to_string(&path)?;
                documents.push((path.strip_prefix(folder())?.to_owned(), text));
            }
        }
    }
    documents.sort();
    Ok(documents)
}

/// The object that `yaml` describes.
///
/// # Errors
/// If it is not one of these, or has a field that such an object has not, which Kubernetes would
/// ignore or refuse.
pub fn typed<T: DeserializeOwned + Serialize>(yaml: &str) -> anyhow::Result<T> {
    let written: Value = serde_saphyr::from_str(yaml).context("not YAML")?;
    let object: T = serde_json::from_value(written.clone()).context("not such an object")?;
    let kept = serde_json::to_value(&object)?;
    let mut lost = Vec::new();
    compare(&written, &kept, "", &mut lost);
    ensure!(lost.is_empty(), "unknown fields: {}", lost.join(", "));
    Ok(object)
}

/// Adds the paths of fields that were written and not kept to `lost`.
fn compare(written: &Value, kept: &Value, at: &str, lost: &mut Vec<String>) {
    match (written, kept) {
        (Value::Object(written), Value::Object(kept)) => {
            for (key, value) in written {
                let at = format!("{at}.{key}");
                match kept.get(key) {
                    Some(kept) => compare(value, kept, &at, lost),
                    None => lost.push(at),
                }
            }
        }
        (Value::Array(written), Value::Array(kept)) if written.len() == kept.len() => {
            for (index, (value, kept)) in written.iter().zip(kept).enumerate() {
                compare(value, kept, &format!("{at}[{index}]"), lost);
            }
        }
        _ if written == kept => {}
        _ => lost.push(format!("{at} (read as {kept})")),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Service;

    use super::*;

    #[test]
    fn an_unknown_field_is_named_wherever_it_is() {
        let yaml =
            "apiVersion: v1\nkind: Service\nspec:\n  ports:\n    - port: 1\n      tagetPort: 2\n";
        let error = typed::<Service>(yaml).unwrap_err().to_string();
        assert_eq!(error, "unknown fields: .spec.ports[0].tagetPort");
        let service: Service = typed(&yaml.replace("taget", "target")).unwrap();
        assert!(
            service.spec.unwrap().ports.unwrap()[0]
                .target_port
                .is_some()
        );
        let error = typed::<Service>(&yaml.replace("kind: Service", "kind: Pod"));
        assert!(error.is_err());
    }
}
