//! `dbag dataset`

mod life;
mod members;
mod nest;
mod show;
mod split;
mod types;

use clap::{Args, Subcommand};

use super::{Context, Outcome};

/// Make, fill, type, nest, split and look at datasets
#[derive(Debug, Args)]
pub(super) struct Dataset {
    #[command(subcommand)]
    command: DatasetCommand,
}

#[derive(Debug, Subcommand)]
enum DatasetCommand {
    Create(life::Create),
    Add(members::Add),
    Remove(members::Remove),
    Members(members::Members),
    Types(types::Types),
    Nest(nest::Nest),
    Unnest(nest::Unnest),
    Split(split::Split),
    Subsample(split::Subsample),
    List(show::List),
    Show(show::Show),
    Describe(life::Describe),
    Rename(life::Rename),
    Delete(life::Delete),
    Restore(life::Restore),
}

impl Dataset {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        match &self.command {
            DatasetCommand::Create(command) => command.run(context),
            DatasetCommand::Add(command) => command.run(context),
            DatasetCommand::Remove(command) => command.run(context),
            DatasetCommand::Members(command) => command.run(context),
            DatasetCommand::Types(command) => command.run(context),
            DatasetCommand::Nest(command) => command.run(context),
            DatasetCommand::Unnest(command) => command.run(context),
            DatasetCommand::Split(command) => command.run(context),
            DatasetCommand::Subsample(command) => command.run(context),
            DatasetCommand::List(command) => command.run(context),
            DatasetCommand::Show(command) => command.run(context),
            DatasetCommand::Describe(command) => command.run(context),
            DatasetCommand::Rename(command) => command.run(context),
            DatasetCommand::Delete(command) => command.run(context),
            DatasetCommand::Restore(command) => command.run(context),
        }
    }
}
