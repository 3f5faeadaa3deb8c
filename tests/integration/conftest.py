"""What the tests of the migration load from, and into."""

from uuid import uuid4

import pytest
from pymongo.database import Database

from tasks.common.mongo import Document
from tasks.common.objects import ObjectStore, open_store
from tasks.common.settings import Settings


@pytest.fixture
def lake() -> ObjectStore:
    return open_store(f"memory://{uuid4().hex}", Settings())


@pytest.fixture
def db(mongo_database: Database[Document]) -> Database[Document]:
    return mongo_database
