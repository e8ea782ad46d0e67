//! The terms that every catalog of deriva-ml's has.

/// The terms: vocabulary of the `deriva-ml` schema, name, description. Each asset table adds its own name to
/// `Asset_Type`, each feature its name to `Feature_Name`, which is empty at first.
#[must_use]
pub fn seed_terms() -> &'static [(&'static str, &'static str, &'static str)] {
    TERMS
}

const TERMS: &[(&str, &str, &str)] = &[
    ("Asset_Type", "Execution_Config", "The configuration of an execution"),
    ("Asset_Type", "Runtime_Env", "The environment that an execution ran in"),
    ("Asset_Type", "Hydra_Config", "A YAML file that Hydra wrote"),
    ("Asset_Type", "Deriva_Config", "The configuration.json of an execution: datasets, assets, workflow"),
    ("Asset_Type", "Metrics_File", "A log of training metrics, one record a line"),
    ("Asset_Type", "Execution_Metadata", "A file about an execution"),
    ("Asset_Type", "Execution_Asset", "A file made by an execution"),
    ("Asset_Type", "File", "A file kept outside Hatrac"),
    ("Asset_Type", "Input_File", "A file that an execution read"),
    ("Asset_Type", "Output_File", "A file that an execution wrote"),
    ("Asset_Type", "Model_File", "A trained model"),
    ("Asset_Type", "Notebook_Output", "A notebook with the output of a run in its cells"),
    ("Asset_Role", "Input", "The execution read it"),
    ("Asset_Role", "Output", "The execution wrote it"),
    ("Dataset_Type", "Complete", "All records of a kind"),
    ("Dataset_Type", "File", "Files are the members"),
    ("Dataset_Type", "Directory", "Made from a directory of files"),
    ("Dataset_Type", "Training", "For training models"),
    ("Dataset_Type", "Testing", "For testing models"),
    ("Dataset_Type", "Validation", "For validating models during training"),
    ("Dataset_Type", "Split", "Split into nested datasets"),
    ("Dataset_Type", "Labeled", "The records have labels"),
    ("Dataset_Type", "Unlabeled", "The records have no labels"),
    ("Execution_Status", "Created", "Work has not begun"),
    ("Execution_Status", "Running", "At work"),
    ("Execution_Status", "Stopped", "Done; the output is not uploaded yet"),
    ("Execution_Status", "Failed", "Ended by an error"),
    ("Execution_Status", "Pending_Upload", "Done; the output is being uploaded"),
    ("Execution_Status", "Uploaded", "Done, with the output in the catalog"),
    ("Execution_Status", "Aborted", "Ended by a person"),
    ("Workflow_Type", "Training", "Trains models"),
    ("Workflow_Type", "Testing", "Measures models on data held back"),
    ("Workflow_Type", "Prediction", "Applies models to new data"),
    ("Workflow_Type", "Feature_Creation", "Makes feature values from data"),
    ("Workflow_Type", "Visualization", "Makes pictures of data or results"),
    ("Workflow_Type", "Analysis", "Analyses data without training a model"),
    ("Workflow_Type", "Ingest", "Loads data into the catalog"),
    ("Workflow_Type", "Data_Cleaning", "Cleans data"),
    ("Workflow_Type", "Dataset_Management", "Makes, splits and versions datasets"),
];
