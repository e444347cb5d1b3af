//! For every setting of the table, in every command that takes it: the flag wins over the variable, the variable over
//! the file, and the file over the default.

use std::io::Write as _;

use super::*;

/// The layers in which a value can be given, the one that wins first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layer {
    Flag,
    Variable,
    File,
}

const LAYERS: [Layer; 3] = [Layer::Flag, Layer::Variable, Layer::File];

/// The layers that can give this setting to this command.
fn layers_of(setting: Setting, command: Command) -> Vec<Layer> {
    let can_give = |layer: &Layer| match layer {
        Layer::Flag => setting.has_flag(),
        Layer::Variable => true,
        Layer::File => command == Command::Serve && setting.is_in_file(),
    };
    LAYERS.into_iter().filter(can_give).collect()
}

/// A right value for each layer, another one in each where the type has as many.
fn samples(setting: Setting) -> [String; 3] {
    let unit = setting.unit();
    if unit == unit.to_lowercase() {
        // Words to choose from.
        let words = unit.split('|').rev().cycle().map(str::to_owned);
        return words.take(3).collect::<Vec<_>>().try_into().unwrap();
    }
    let samples = match unit.split('|').next().unwrap() {
        "BYTES" if setting == Setting::WireLogMax => ["2000001", "2000002", "2000003"],
        "COUNT" => ["1", "2", "3"],
        "BYTES" => ["2001", "2002", "2003"],
        "DURATION" => ["8s", "9s", "10s"],
        "PORT" => ["1", "2", "3"],
        "IP:PORT" => ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"],
        "HOST[:PORT]" => ["a:1", "b:2", "c:3"],
        "URL" => ["http://a/", "http://b/", "http://c/"],
        "URL-TEMPLATE" => [
            "http://a/{z}/{x}/{y}",
            "http://b/{z}/{x}/{y}",
            "http://c/{z}/{x}/{y}",
        ],
        "ORIGINS" => ["http://a", "http://b", "http://c"],
        "FILTER" => ["warn", "error", "debug"],
        "NAME" | "NAMES" | "TEXT" | "POD" | "FILE" | "DIR" | "TABLE" | "SECRET" => ["a", "b", "c"],
        other => panic!("add right values of the unit {other} here"),
    };
    samples.map(str::to_owned)
}

/// The line of the report for a setting that these layers give. Each gives its own sample.
fn row(setting: Setting, command: Command, given: &[Layer]) -> Row {
    let [of_flag, of_variable, of_file] = samples(setting);
    let text = |layer: Layer, text: String| given.contains(&layer).then_some(text);
    let file = text(Layer::File, of_file).map(|text| {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "# one line\n{} = \"{text}\"", setting.key()).unwrap();
        file
    });
    let path = file
        .as_ref()
        .map(|file| file.path().to_str().unwrap().to_owned());
    let mut flags = vec![(setting, text(Layer::Flag, of_flag))];
    if setting != Setting::Config {
        flags.push((Setting::Config, path));
    }
    let flags = Flags::new(flags);
    let variable = text(Layer::Variable, of_variable);
    let variables = variable.map(|text| (setting.variable().into(), text.into()));
    let environment = Environment::new(variables);
    let mut resolver = Resolver::new(command, &flags, &environment);
    if command == Command::Serve && setting != Setting::Config {
        resolver.read_config_file();
    }
    Values::resolve(&mut resolver);
    let rows = resolver.take_rows();
    let taken = resolver.finish(Some(()));
    assert!(taken.is_ok(), "{setting:?}: {taken:?}");
    rows.into_iter().find(|row| row.setting == setting).unwrap()
}

fn assert_from(row: &Row, layer: Layer) {
    let setting = row.setting;
    let place = LAYERS.iter().position(|other| *other == layer).unwrap();
    let is_from_layer = match &row.origin {
        Origin::Flag(of) => layer == Layer::Flag && *of == setting,
        Origin::Variable(of) => layer == Layer::Variable && *of == setting,
        Origin::File { line, .. } => layer == Layer::File && *line == 2,
        Origin::Topology | Origin::Default => false,
    };
    assert!(is_from_layer, "{row:?} is not from the {layer:?}");
    if setting.unit() != "SECRET" {
        assert_eq!(row.value, samples(setting)[place], "{row:?}");
    }
}

#[test]
fn the_first_layer_that_gives_a_value_wins() {
    let mut checked = 0;
    for command in Command::ALL {
        for setting in Setting::of(command) {
            let layers = layers_of(setting, command);
            for first in 0..layers.len() {
                let given = &layers[first..];
                assert_from(&row(setting, command, given), given[0]);
                checked += 1;
            }
            let unset = row(setting, command, &[]);
            assert_eq!(unset.origin, Origin::Default, "{unset:?}");
        }
    }
    assert!(checked > 2 * Setting::ALL.len(), "only {checked}");
}

/// Any two layers, also where the one between them is silent.
#[test]
fn a_flag_wins_over_the_file() {
    for setting in Setting::of(Command::Serve) {
        if setting.has_flag() && setting.is_in_file() {
            let row = row(setting, Command::Serve, &[Layer::Flag, Layer::File]);
            assert_from(&row, Layer::Flag);
        }
    }
}

#[test]
fn a_command_reads_its_own_settings_only() {
    for command in Command::ALL {
        for setting in Setting::ALL.iter().copied() {
            let flags = Flags::new([(setting, Some("flag".to_owned()))]);
            let variable = (setting.variable().into(), "variable".into());
            let environment = Environment::new([variable]);
            let resolver = Resolver::new(command, &flags, &environment);
            let is_read = resolver.given(setting).is_some();
            assert_eq!(is_read, setting.is_of(command), "{command:?} {setting:?}");
        }
    }
}

/// Where several settings stand for each other, the layers decide first.
#[test]
fn a_flag_wins_over_the_variable_of_another_setting() {
    let flags = Flags::new([(Setting::DataDir, Some("flag".to_owned()))]);
    let variable = ("HERD_CONTROL_SOCKET".into(), "variable".into());
    let environment = Environment::new([variable]);
    let resolver = Resolver::new(Command::Dump, &flags, &environment);
    let found = resolver.first_of([Setting::ControlSocket, Setting::DataDir]);
    assert_eq!(found.unwrap().0, Setting::DataDir);
}

/// Every default is a value that somebody could have given.
#[test]
fn defaults_are_right_values() {
    for command in Command::ALL {
        let (flags, environment) = (Flags::default(), Environment::default());
        let mut resolver = Resolver::new(command, &flags, &environment);
        Values::resolve(&mut resolver);
        for Row { setting, value, .. } in resolver.take_rows() {
            if setting.default_text() != format!("`{value}`") {
                continue;
            }
            let flags = Flags::new([(setting, Some(value.clone()))]);
            let loaded = Values::load(command, &flags, &environment);
            assert!(loaded.is_ok(), "{setting:?} {value}: {loaded:?}");
        }
    }
}
