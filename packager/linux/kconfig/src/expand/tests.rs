use super::*;
use crate::shell::{NoShell, Shell};

/// A shell whose answer is the command itself.
struct Echo;

impl Shell for Echo {
    fn run(&self, command: &str) -> std::io::Result<Vec<u8>> {
        Ok(format!("<{command}>\n").into_bytes())
    }
}

fn place() -> Place {
    Place { file: "Kconfig".into(), line: 7 }
}

fn expander(environment: &Environment) -> Expander<'_> {
    Expander::new(environment, Probes::new(Box::new(Echo)))
}

fn expand(setup: &[(&str, Assignment, &str)], text: &str) -> Result<String, String> {
    let environment = Environment::new().with("HOME_PLANET", "earth");
    let mut expander = expander(&environment);
    for (name, how, value) in setup {
        expander.assign(name, *how, value, &place()).map_err(|refusal| refusal.message)?;
    }
    let rope = expander.expand(text, &place()).map_err(|refusal| refusal.message)?;
    Ok(expander.probes.force(&rope))
}

use Assignment::{Append, Recursive, Simple};

#[test]
fn variables_expand_when_used_or_when_assigned() {
    let setup = [("x", Recursive, "1"), ("late", Recursive, "$(x)"), ("early", Simple, "$(x)")];
    let setup = [&setup[..], &[("x", Recursive, "2")]].concat();
    assert_eq!(expand(&setup, "$(late) $(early)"), Ok("2 1".into()));
}

#[test]
fn appending_keeps_the_flavour_of_the_variable() {
    let setup = [
        ("a", Append, "$(n)"),
        ("b", Simple, "0"),
        ("b", Append, "$(n)"),
        ("n", Recursive, "1"),
        ("a", Append, "2"),
    ];
    assert_eq!(expand(&setup, "$(a)|$(b)"), Ok("1 2|0 ".into()));
}

#[test]
fn functions_get_their_arguments_and_names_can_be_computed() {
    let setup = [("f", Recursive, "[$(1)-$(2)-$(3)]"), ("g", Recursive, "f")];
    assert_eq!(expand(&setup, "$($(g),a, b)"), Ok("[a- b-]".into()));
    assert_eq!(expand(&setup, "$(f,(x,y),z)"), Ok("[(x,y)-z-]".into()));
}

#[test]
fn the_environment_comes_last_and_what_is_unknown_is_empty() {
    assert_eq!(expand(&[], "$(HOME_PLANET)$(nothing)$(nothing,1)"), Ok("earth".into()));
    assert_eq!(expand(&[("HOME_PLANET", Simple, "mars")], "$(HOME_PLANET)"), Ok("mars".into()));
}

#[test]
fn a_dollar_without_parenthesis_is_a_dollar() {
    assert_eq!(expand(&[], "$A ${B} $$ $"), Ok("$A ${B} $$ $".into()));
}

#[test]
fn commands_nest_and_run_inside_out() {
    assert_eq!(expand(&[], "$(shell,a $(shell,b))"), Ok("<a <b>>".into()));
    assert_eq!(expand(&[], "$(filename):$(lineno)"), Ok("Kconfig:7".into()));
}

#[test]
fn a_command_whose_output_is_not_needed_does_not_run() {
    let environment = Environment::new();
    let mut expander = Expander::new(&environment, Probes::new(Box::new(NoShell)));
    let rope = expander.expand("$(shell,false)", &place()).expect("a rope");
    assert!(!expander.probes.failures().has_errors());
    assert_eq!(rope.known(), None);
    assert_eq!(expander.probes.force(&rope), "");
    let text = expander.probes.failures().into_iter().next().expect("a finding").to_string();
    assert_eq!(text, "error: cannot run `false`: no commands are to be run");
}

#[test]
fn what_never_ends_or_grows_without_end_is_refused() {
    let cases = [
        (vec![("x", Recursive, "$(x)")], "$(x)", "references itself (eventually)"),
        (vec![("f", Recursive, "$(f,1)")], "$(f,1)", "too deep recursive expansion"),
        (vec![], "$(a", "unterminated reference to 'a': missing ')'"),
        (vec![], "$(error-if,y,stop it)", "stop it"),
        (vec![], "$(shell)", "too few function arguments passed to 'shell'"),
        (vec![], "$(shell,a,b)", "too many function arguments passed to 'shell'"),
        (vec![], "$(f,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16)", "too many function arguments"),
    ];
    for (setup, text, wanted) in cases {
        let message = expand(&setup, text).expect_err(text);
        assert!(message.contains(wanted), "{text}: {message}");
    }
    let mut doubling = vec![("v0".to_owned(), "0123456789".to_owned())];
    for index in 1..40 {
        let before = format!("$(v{})", index - 1);
        doubling.push((format!("v{index}"), format!("{before}{before}")));
    }
    let setup: Vec<_> =
        doubling.iter().map(|(name, value)| (name.as_str(), Recursive, value.as_str())).collect();
    let message = expand(&setup, "$(v39)").expect_err("grows");
    assert!(message.contains("longer than 1 MiB") || message.contains("too deep"), "{message}");
}

#[test]
fn an_error_if_that_depends_on_a_command_waits_for_it() {
    let environment = Environment::new();
    let mut expander = expander(&environment);
    let condition = "$(error-if,$(shell,y),broken: $(shell,why))";
    assert_eq!(expander.expand(condition, &place()).expect("waits").known(), Some(""));
    assert_eq!(expander.probes.checks.len(), 1);
    assert!(!expander.probes.verify().has_errors(), "<y> is not y");
}
