//! What a row with which something is wrong still says.

use grunddata_exchange::mapping::Key;

use crate::mappings::{parse, run};

#[test]
fn a_rejected_row_says_whom_it_is_about_where_it_can() {
    let mapping = || {
        parse(
            "mapping = 1\nname = \"m\"\n\
             [[record]]\nname = \"unit\"\ndomain = \"organisation\"\nkey = \"unit:{Enhet}\"\nwhen = { column = \"Typ\", in = [\"E\"] }\n\
             [[record]]\nname = \"employment\"\ndomain = \"role\"\nkey = \"{Anstnr}\"\n[record.data]\nemploymentRate = { column = \"Grad\", as = \"decimal\" }\n",
        )
    };
    let about = |row: &str| {
        let file = format!("Enhet;Typ;Anstnr;Grad\n{row}\n");
        let given = run(mapping(), "m.csv", file.as_bytes());
        assert_eq!(given.problems.len(), 1, "{given:#?}");
        let about = given.about.into_iter().next().unwrap()?;
        let keys = about.into_iter().map(|named| match named.key {
            Key::Source(key) => format!("{} {key}", named.record),
            other => panic!("{other:?}"),
        });
        Some(keys.collect::<Vec<_>>())
    };
    assert_eq!(
        about("A1;E;7;mycket"),
        Some(vec!["unit unit:A1".to_owned(), "employment 7".to_owned()])
    );
    assert_eq!(
        about("A1;x;7;mycket"),
        Some(vec!["employment 7".to_owned()])
    );
    assert_eq!(about("A1;E;;100"), None, "an employment without a number");
    // Nobody can tell whether there is a unit.
    let long = "x".repeat(40_000);
    assert_eq!(about(&format!("A1;{long};7;100")), None);
}
