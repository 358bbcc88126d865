//! What the documents tell the reader to run exists.

use crate::program;

/// `grunddata SUBCOMMAND …` and `cargo run … -- SUBCOMMAND …`: the subcommand is there, and so is every option.
#[test]
fn commands_of_the_program_exist() {
    let mut checked = 0;
    for document in xtask::structure::documents().expect("the documents") {
        for command in xtask::structure::commands(&document).expect("its commands") {
            let Some(words) = of_the_program(&command) else {
                continue;
            };
            let place = format!("{}: {command}", document.display());
            let path: Vec<&str> = words
                .iter()
                .copied()
                .take_while(|word| is_name(word))
                .collect();
            let help = help(&path).unwrap_or_else(|| panic!("{place}: no such command"));
            for option in words
                .iter()
                .filter_map(|word| word.strip_prefix("--"))
                .filter(|option| !option.is_empty())
            {
                let option = format!("--{}", option.split('=').next().unwrap_or(option));
                assert!(
                    help.contains(&option),
                    "{place}: {option} is not in the help:\n{help}"
                );
            }
            checked += 1;
        }
    }
    assert!(
        checked >= 3,
        "only {checked} commands of the program were found in the documents"
    );
}

/// The words after the program's name.
fn of_the_program(command: &str) -> Option<Vec<&str>> {
    let words: Vec<&str> = command
        .split_whitespace()
        .filter(|word| !word.contains('=') || word.starts_with("--"))
        .collect();
    let at = match words.first()? {
        &"grunddata" | &"./target/release/grunddata" => 1,
        &"cargo" if words.get(1) == Some(&"run") => {
            words.iter().position(|word| *word == "--")? + 1
        }
        _ => return None,
    };
    Some(words.get(at..)?.to_vec())
}

fn is_name(word: &str) -> bool {
    !word.is_empty()
        && word.chars().all(|c| c.is_ascii_lowercase() || c == '-')
        && !word.starts_with('-')
}

/// The help of a command; what follows its name may be an argument.
fn help(path: &[&str]) -> Option<String> {
    let arguments: Vec<&str> = path.iter().copied().chain(["--help"]).collect();
    let output = program::run(&arguments);
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
