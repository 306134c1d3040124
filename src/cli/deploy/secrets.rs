//! Sealing the Secrets that have a file.

use super::draft::Draft;
use crate::api::{AppId, Info};
use crate::cli::context::Context;
use crate::cli::production::Place;
use crate::cli::project::{Project, tool};
use crate::deploy::{Seal, Sealer};
use crate::diag::{Error, Result};
use crate::toolchain::Tool;

impl Draft {
    /// Encrypts the Secrets that have a file, or takes the ciphertext from before.
    ///
    /// # Errors
    /// When nothing says for whom, or sops cannot be had or fails.
    pub(super) fn seal(
        &mut self,
        ctx: &Context,
        project: &Project,
        place: &Place,
        id: &AppId,
        info: &Info,
    ) -> Result<()> {
        if self.contents.is_empty() {
            return Ok(());
        }
        let recipient = recipient(ctx, project, info)?;
        let sealer = Sealer { sops: tool(ctx, project, Tool::Sops)?.path, dir: place.dir.clone() };
        let namespace = id.namespace();
        for secret in &mut self.template.secrets {
            let Some(variables) = self.contents.get(&secret.name) else { continue };
            let seal = Seal { name: &secret.name, namespace: &namespace, recipient: &recipient, variables };
            secret.sealed = Some(sealer.seal(&seal)?);
        }
        Ok(())
    }
}

/// For whom: as kilter.yaml says, else as the server does.
fn recipient(ctx: &Context, project: &Project, info: &Info) -> Result<String> {
    if let Some(recipient) = &project.loaded.config.sops_recipient {
        return Ok(recipient.clone());
    }
    let Some(recipient) = &info.sops_recipient else {
        return Err(Error::missing("nothing says for whom secrets are to be encrypted")
            .help("Write the cluster's age recipient into kilter.yaml: `sopsRecipient: age1…`."));
    };
    if !recipient.starts_with("age1") || !recipient.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
        return Err(Error::missing("the server's age recipient is none")
            .help("Tell the people who run it, or write `sopsRecipient:` into kilter.yaml."));
    }
    ctx.ui.talk(&format!(
        "secrets are encrypted for {recipient}, which the server names; `sopsRecipient:` in kilter.yaml would pin it"
    ));
    Ok(recipient.clone())
}
