#include "sim/memory_disk.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace tandem;
using namespace tandem::sim;

namespace {

std::string content(MemoryDisk& disk, const std::string& path) {
  auto read = cdr::read_file(disk, path);
  return read ? *read : "error: " + read.error().message;
}

}  // namespace

TEST_CASE("MemoryDisk: what was synced survives a loss of power, the rest does not") {
  MemoryDisk disk;
  auto file = *disk.open("/j/a", cdr::Disk::Open::create);
  REQUIRE(file->write_at(0, "durable").ok());
  REQUIRE(file->sync().ok());
  REQUIRE(file->write_at(2, "XX").ok());
  REQUIRE(file->write_at(7, " and more").ok());
  CHECK(content(disk, "/j/a") == "duXXble and more");
  disk.power_cut();
  CHECK(file->write_at(0, "x").error().code == ErrorCode::io);
  CHECK_FALSE(disk.open("/j/a", cdr::Disk::Open::read).ok());
  disk.power_on();
  CHECK(file->sync().error().code == ErrorCode::io);  // of the former life
  CHECK(content(disk, "/j/a") == "durable");
}

TEST_CASE("MemoryDisk: a full disk refuses to write with limit, and reads go on") {
  MemoryDisk disk;
  REQUIRE(cdr::replace_file(disk, "/j/a", "old").ok());
  disk.set_full(true);
  CHECK(cdr::replace_file(disk, "/j/a", "new").error().code == ErrorCode::limit);
  CHECK(content(disk, "/j/a") == "old");
  disk.set_full(false);
  REQUIRE(cdr::replace_file(disk, "/j/a", "new").ok());
  CHECK(content(disk, "/j/a") == "new");
}

TEST_CASE("MemoryDisk: truncation, names, folders and locks are those of a disk") {
  MemoryDisk disk;
  REQUIRE(disk.make_folder("/j").ok());
  CHECK(disk.list("/j")->empty());
  CHECK(disk.list("/k").error().code == ErrorCode::not_found);
  auto file = *disk.open("/j/a", cdr::Disk::Open::create);
  REQUIRE(file->write_at(4, "tail").ok());
  CHECK(*file->size_bytes() == 8);
  REQUIRE(file->truncate(5).ok());
  CHECK(content(disk, "/j/a") == std::string("\0\0\0\0t", 5));
  REQUIRE(disk.rename("/j/a", "/j/b").ok());
  CHECK(*disk.list("/j") == std::vector<std::string>{"b"});
  CHECK(disk.open("/j/a", cdr::Disk::Open::write).error().code == ErrorCode::not_found);
  {
    auto lock = disk.lock("/j/lock");
    REQUIRE(lock.ok());
    CHECK(disk.lock("/j/lock").error().code == ErrorCode::already_exists);
  }
  CHECK(disk.lock("/j/lock").ok());
  REQUIRE(disk.remove("/j/b").ok());
  CHECK_FALSE(disk.remove("/j/b").ok());
}
