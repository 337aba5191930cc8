#include <doctest/doctest.h>
#include <sys/stat.h>

#include <string>

#include "cdr/disk.hpp"
#include "unit/cdr/fault_disk.hpp"
#include "unit/cdr/temporary_folder.hpp"

using namespace tandem;
using namespace tandem::cdr;

TEST_CASE("Disk: a view has the bytes of the file, also when its name is another file's by then") {
  const test::TemporaryFolder folder;
  PosixDisk posix;
  test::FaultDisk memory;
  std::string content = "first";
  content.resize(70'000, '\0');  // several pages and a part of one
  content += "last";
  for (Disk* disk : {static_cast<Disk*>(&posix), static_cast<Disk*>(&memory)}) {
    const std::string path = folder / "file";
    REQUIRE(replace_file(*disk, path, content).ok());
    const auto view = disk->view(path);
    REQUIRE(view.ok());
    CHECK((*view)->bytes() == content);
    REQUIRE(replace_file(*disk, path, "").ok());
    CHECK((*view)->bytes() == content);
    CHECK(disk->view(path).value()->bytes().empty());
    REQUIRE(disk->remove(path).ok());
    CHECK((*view)->bytes() == content);
    CHECK(disk->view(path).error().code == ErrorCode::not_found);
  }
}

TEST_CASE("PosixDisk: a view keeps the bytes of a file that is cut off or overwritten meanwhile") {
  const test::TemporaryFolder folder;
  PosixDisk disk;
  const std::string path = folder / "file";
  std::string content(70'000, 'a');
  REQUIRE(replace_file(disk, path, content).ok());
  const auto view = disk.view(path);
  REQUIRE(view.ok());
  auto file = disk.open(path, Disk::Open::write);
  REQUIRE(file.ok());
  REQUIRE((*file)->write_at(100, "bbb").ok());
  CHECK((*view)->bytes() == content);
  REQUIRE((*file)->truncate(0).ok());
  CHECK((*view)->bytes() == content);
}

TEST_CASE("PosixDisk: what is no file has no view and holds nobody up") {
  const test::TemporaryFolder folder;
  PosixDisk disk;
  CHECK(disk.view(folder.path()).error().code == ErrorCode::io);
  const std::string pipe = folder / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(disk.view(pipe).error().code == ErrorCode::io);
}
