#include "store/sqlite.hpp"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

using namespace tandem;
using namespace tandem::store;

namespace {

struct Folder {
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tandem-store-XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    path = pattern;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  std::string path;
};

std::int64_t count(Connection& connection, const std::string& table) {
  auto select = connection.prepare("SELECT count(*) FROM " + table);
  REQUIRE(select.ok());
  REQUIRE(select->step().value());
  return select->integer(0);
}

}  // namespace

TEST_CASE("Connection: values come back as they were bound") {
  Folder folder;
  auto connection = Connection::open(folder.path + "/a #1?.db");
  REQUIRE(connection.ok());
  REQUIRE(connection->execute("CREATE TABLE t(a INTEGER, b TEXT, c BLOB, d TEXT)").ok());
  auto insert = connection->prepare("INSERT INTO t VALUES(?, ?, ?, ?)");
  REQUIRE(insert.ok());
  const std::string_view odd("a\0b\xFF", 4);
  CHECK(insert->bind(1, INT64_MIN).bind(2, "").bind_blob(3, odd).bind_null(4).run().ok());
  CHECK(connection->changes() == 1);
  auto select = connection->prepare("SELECT a, b, c, d FROM t");
  REQUIRE(select.ok());
  REQUIRE(select->step().value());
  CHECK(select->integer(0) == INT64_MIN);
  CHECK(select->text(1).empty());
  CHECK_FALSE(select->is_null(1));
  CHECK(select->text(2) == odd);
  CHECK(select->is_null(3));
  CHECK_FALSE(select->step().value());
  CHECK(insert->bind(9, "x").run().error().code == ErrorCode::invalid_argument);
  CHECK(connection->prepare("SELECT nonsense").error().code == ErrorCode::invalid_argument);
  CHECK(connection->prepare("").error().code == ErrorCode::invalid_argument);
}

TEST_CASE("Connection: a full disk is io, which passes, and no limit of what was asked") {
  Folder folder;
  auto connection = Connection::open(folder.path + "/small.db");
  REQUIRE(connection.ok());
  REQUIRE(connection->execute("CREATE TABLE t(a BLOB); PRAGMA max_page_count = 4").ok());
  auto insert = connection->prepare("INSERT INTO t VALUES(?)");
  REQUIRE(insert.ok());
  const auto refused = insert->bind_blob(1, std::string(100'000, 'x')).run();
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::io);
  CHECK(refused.error().message.find("full") != std::string::npos);
}

TEST_CASE("Transaction: what is not committed is rolled back") {
  Folder folder;
  auto connection = Connection::open(folder.path + "/a.db");
  REQUIRE(connection.ok());
  REQUIRE(connection->execute("CREATE TABLE t(a INTEGER UNIQUE)").ok());
  {
    auto transaction = Transaction::begin(*connection);
    REQUIRE(transaction.ok());
    REQUIRE(connection->execute("INSERT INTO t VALUES(1)").ok());
  }
  CHECK(count(*connection, "t") == 0);
  {
    auto transaction = Transaction::begin(*connection);
    REQUIRE(transaction.ok());
    REQUIRE(connection->execute("INSERT INTO t VALUES(1)").ok());
    CHECK(connection->execute("INSERT INTO t VALUES(1)").error().code == ErrorCode::already_exists);
    CHECK(transaction->commit().ok());
  }
  CHECK(count(*connection, "t") == 1);
}

TEST_CASE("Connection: a reader works beside a writer, writes nothing, and tells what is missing") {
  Folder folder;
  const std::string path = folder.path + "/a.db";
  CHECK(Connection::open(path, OpenMode::read_only).error().code == ErrorCode::not_found);
  auto writer = Connection::open(path);
  REQUIRE(writer.ok());
  REQUIRE(writer->execute("CREATE TABLE t(a INTEGER); INSERT INTO t VALUES(1)").ok());
  auto transaction = Transaction::begin(*writer);
  REQUIRE(writer->execute("INSERT INTO t VALUES(2)").ok());
  auto reader = Connection::open(path, OpenMode::read_only);
  REQUIRE(reader.ok());
  CHECK(count(*reader, "t") == 1);
  CHECK_FALSE(reader->execute("INSERT INTO t VALUES(3)").ok());
  REQUIRE(transaction->commit().ok());
  CHECK(count(*reader, "t") == 2);
  std::ofstream(folder.path + "/bad.db") << std::string(4'096, 'x');
  CHECK_FALSE(Connection::open(folder.path + "/bad.db").ok());
  CHECK_FALSE(Connection::open(folder.path + "/absent/a.db").ok());
}

TEST_CASE("migrate: steps run once, in order, per component, and a newer file is refused") {
  Folder folder;
  auto connection = Connection::open(folder.path + "/a.db");
  REQUIRE(connection.ok());
  constexpr Migration first[] = {{1, "CREATE TABLE t(a INTEGER); INSERT INTO t VALUES(1)"}};
  constexpr Migration both[] = {
      {1, "CREATE TABLE t(a INTEGER); INSERT INTO t VALUES(1)"},
      {2, "ALTER TABLE t ADD COLUMN b INTEGER; INSERT INTO t VALUES(2, 2)"}};
  constexpr Migration broken[] = {{1, "CREATE TABLE u(a INTEGER)"},
                                  {2, "CREATE TABLE u(a INTEGER)"}};
  CHECK(migrate(*connection, "one", first).ok());
  CHECK(migrate(*connection, "one", first).ok());
  CHECK(count(*connection, "t") == 1);
  CHECK(migrate(*connection, "one", both).ok());
  CHECK(count(*connection, "t") == 2);
  CHECK(migrate(*connection, "one", first).error().code == ErrorCode::unsupported);
  const auto failed = migrate(*connection, "two", broken);
  REQUIRE_FALSE(failed.ok());
  CHECK(failed.error().message.find("step 2 of \"two\"") != std::string::npos);
  CHECK_FALSE(connection->prepare("SELECT * FROM u").ok());  // nothing of it stayed
}
