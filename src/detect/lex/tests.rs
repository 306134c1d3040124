use super::*;

fn kinds(text: &str) -> Vec<Kind> {
    tokens(text).0.into_iter().map(|token| token.kind).collect()
}

#[test]
fn strings_comments_symbols_and_lists() {
    let text = |text: &str| Kind::Text(text.into());
    let word = |word: &str| Kind::Word(word.into());
    assert_eq!(kinds("gem 'pg' # \"x\""), [word("gem"), text("pg")]);
    assert_eq!(kinds("\"a#{x[\"b\"]}c\""), [text("a#{x[\"b\"]}c")]);
    assert_eq!(kinds("\"\\\"a\""), [text("\"a")]);
    assert_eq!(
        kinds("%w[a b]\n%i(c)"),
        [Kind::List(vec!["a".into(), "b".into()]), Kind::Newline, Kind::List(vec!["c".into()])]
    );
    assert_eq!(
        kinds("only: ~w(dev test)a"),
        [Kind::Label("only".into()), Kind::List(vec!["dev".into(), "test".into()])]
    );
    assert_eq!(
        kinds("{:pg, a?}"),
        [Kind::Punct('{'), Kind::Symbol("pg".into()), Kind::Punct(','), word("a?"), Kind::Punct('}')]
    );
    assert_eq!(kinds("s.add_dependency 'x'"), [word("s.add_dependency"), text("x")]);
    assert_eq!(kinds("A::B ?\" b"), [word("A"), Kind::Punct(':'), word("B"), word("b")]);
    assert_eq!(kinds("x = <<~TEXT\n \"a\n TEXT\ny"), [word("x"), Kind::Punct('='), text(""), Kind::Newline, word("y")]);
    assert_eq!(kinds("=begin\ngem 'a'\n=end\nb"), [Kind::Newline, word("b")]);
    assert_eq!(
        kinds("@doc \"\"\"\n it's\n\"\"\"\nb\n__END__\nc"),
        [Kind::Punct('@'), word("doc"), text(""), Kind::Newline, word("b"), Kind::Newline]
    );
}

#[test]
fn a_string_without_an_end_costs_its_line_only() {
    let (found, unclosed) = tokens("a\ngem 'pg\ngem 'x'\ngem \"redis\"\n");
    assert_eq!(unclosed, Some(2));
    assert_eq!(tokens("a = \"b\nc\"\nd").1, None, "a string may go on in the next line");
    assert!(found.iter().any(|token| token.text() == Some("redis") && token.line == 4), "{found:?}");
}

proptest::proptest! {
    #[test]
    fn every_text_has_tokens_and_lines_within_it(text in "[a-z%~\"'\\[\\]{}()#:?<=\\\\ \n-]{0,60}") {
        let lines = text.lines().count().max(1) + 1;
        proptest::prop_assert!(tokens(&text).0.iter().all(|token| (1..=lines).contains(&token.line)));
    }
}
