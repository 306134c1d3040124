use super::super::decide::Rendering;
use super::super::testing;
use super::*;
use crate::api::Template;
use crate::gitops::tests::Bench;

/// A client for what needs no API server.
fn nobody() -> kube::Client {
    testing::client(|asked| async move { panic!("{} {} is asked for", asked.method(), asked.uri()) })
}

#[tokio::test]
async fn a_render_is_final_when_helm_refused_it_and_else_tried_again() {
    for (script, is_final) in [("exit 1", true), ("kill -9 $$", false), ("exit 2", false)] {
        let bench = Bench::new();
        let operator = testing::operator(&bench, nobody(), script);
        let (id, app) = testing::app(Template { image: "i@sha256:1".into(), ..Template::default() });
        let wanted = wanted(&app);
        let round = operator.render(&id, &app, &wanted).await;
        assert_eq!(round.is_ok(), is_final, "{script}: a round that fails is tried again: {round:?}");
        let key = (wanted.uid.clone(), wanted.generation, wanted.rerender.clone());
        match operator.memory().rendering(&id, &key) {
            Rendering::Failed(why) => assert!(is_final && why.contains("it ended with code 1"), "{script}: {why}"),
            Rendering::Interrupted(why) => assert!(!is_final && why.contains("helm could not"), "{script}: {why}"),
            other => panic!("{script}: {other:?}"),
        };
        // Another generation is another render.
        assert_eq!(operator.memory().rendering(&id, &("u".into(), 2, String::new())), Rendering::Missing);
    }
}
