"""Opens a bag's folder with the published deriva-ml, as it does with a bag that it has fetched, and prints what it finds there."""

import json
import sys
from pathlib import Path

from deriva_ml.dataset.aux_classes import DatasetMinid, DatasetVersion
from deriva_ml.dataset.dataset_bag import DatasetBag
from deriva_ml.model.database import DatabaseModel


def plain(value):
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def rows(found):
    listed = [{key: plain(value) for key, value in dict(row).items()} for row in found]
    return sorted(listed, key=lambda row: json.dumps(row, sort_keys=True))


def values(bag, table, feature):
    """The rows of a feature's table whose RIDs its values have: those come as objects in which references hide columns."""
    found = {next(iter(row.values())).RID for row in bag.list_feature_values(table, feature)}
    name = bag.model.lookup_feature(table, feature).feature_table.name
    return rows(row for row in bag.get_table_as_dict(name) if dict(row)["RID"] in found)


def describe(bag, features):
    """A dataset's version, members by table, children, and values of features of (table, feature)."""
    return {
        "rid": bag.dataset_rid,
        "version": str(bag.version),
        "members": {table: rows(found) for table, found in bag.list_dataset_members().items() if found},
        "children": sorted(child.dataset_rid for child in bag.list_dataset_children()),
        "features": {f"{table}:{name}": values(bag, table, name) for table, name in features},
        "tables": {table: rows(bag.get_table_as_dict(table)) for table in ("Subject", "Image")},
    }


def main():
    folder, work, version, snapshot = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4]
    rid = folder.name.removeprefix("Dataset_")
    minid = DatasetMinid(dataset_version=DatasetVersion.parse(version), RID=f"{rid}@{snapshot}", location="file:///nowhere")
    database = DatabaseModel(minid, folder, work)
    features = [tuple(text.split(":")) for text in sys.argv[5:]]
    whole = describe(DatasetBag(database), features)
    whole["within"] = [describe(DatasetBag(database, child), []) for child in whole["children"]]
    json.dump(whole, sys.stdout)


if __name__ == "__main__":
    main()
