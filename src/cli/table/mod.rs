//! `dbag table`

mod change;
mod rows;
mod show;

use clap::{Args, Subcommand};

use super::{Context, Outcome};

/// Look at tables, make and change them, and change their rows by hand
#[derive(Debug, Args)]
pub(super) struct Table {
    #[command(subcommand)]
    command: TableCommand,
}

#[derive(Debug, Subcommand)]
enum TableCommand {
    List(show::List),
    Show(show::Show),
    Create(change::Create),
    AddColumn(Box<change::AddColumn>),
    DropColumn(change::DropColumn),
    Drop(change::Drop),
    Comment(change::Comment),
    Insert(rows::Insert),
    Set(rows::Set),
    DeleteRows(rows::DeleteRows),
}

impl Table {
    pub(super) fn run(&self, context: &Context) -> Outcome {
        match &self.command {
            TableCommand::List(command) => command.run(context),
            TableCommand::Show(command) => command.run(context),
            TableCommand::Create(command) => command.run(context),
            TableCommand::AddColumn(command) => command.run(context),
            TableCommand::DropColumn(command) => command.run(context),
            TableCommand::Drop(command) => command.run(context),
            TableCommand::Comment(command) => command.run(context),
            TableCommand::Insert(command) => command.run(context),
            TableCommand::Set(command) => command.run(context),
            TableCommand::DeleteRows(command) => command.run(context),
        }
    }
}
