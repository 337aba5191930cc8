#include "cdr/archive_file.hpp"

#include <algorithm>
#include <memory>

#include "base/crc32c.hpp"
#include "cdr/compression.hpp"

namespace tandem::cdr {
namespace {

constexpr std::size_t chunk_bytes = 1U << 18;
constexpr std::uint32_t skippable_magic = 0x184D2A50;
constexpr std::size_t frame_head_bytes = 8;
constexpr std::size_t tail_bytes = 16;
constexpr std::string_view tail_magic = "TANDEMA\n";
constexpr std::uint64_t manifest_bytes_max = 16U << 20;  // some 100,000 currencies

Error damaged(const std::string& path, const std::string& what) {
  return {ErrorCode::corrupt, "archive \"" + path + "\" " + what};
}

void append_u32(std::string& out, std::uint32_t value) {
  for (unsigned shift = 0; shift < 32; shift += 8)
    out += static_cast<char>(value >> shift & 0xFFU);
}

std::uint32_t u32_at(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (unsigned i = 0; i < 4; ++i)
    value |= std::uint32_t{static_cast<unsigned char>(bytes[at + i])} << (8 * i);
  return value;
}

/// Writes one piece behind the other.
struct Appending {
  DiskFile& file;
  std::uint64_t bytes = 0;
  std::uint32_t crc = 0;

  Result<void> append(std::string_view piece) {
    if (auto done = file.write_at(bytes, piece); !done) return done;
    bytes += piece.size();
    crc = crc32c(piece.data(), piece.size(), crc);
    return {};
  }
};

Result<std::string> read_exactly(DiskFile& file, std::uint64_t offset, std::size_t bytes) {
  std::string piece(bytes, '\0');
  auto got = file.read_at(offset, piece.data(), bytes);
  if (!got) return std::move(got).error();
  piece.resize(*got);
  return piece;
}

Result<std::unique_ptr<DiskFile>> open_empty(Disk& disk, const std::string& path) {
  auto file = disk.open(path, Disk::Open::create);
  if (!file) return file;
  if (auto done = (*file)->truncate(0); !done) return std::move(done).error();
  return file;
}

Result<DayManifest> read_manifest_of(DiskFile& file, const std::string& path) {
  auto size = file.size_bytes();
  if (!size) return std::move(size).error();
  if (*size < frame_head_bytes + tail_bytes) return damaged(path, "was cut off");
  auto tail = read_exactly(file, *size - tail_bytes, tail_bytes);
  if (!tail) return std::move(tail).error();
  if (tail->size() != tail_bytes || std::string_view(*tail).substr(8) != tail_magic)
    return damaged(path, "was cut off, or is none");
  const std::uint64_t json_bytes = u32_at(*tail, 0);
  const std::uint64_t around = frame_head_bytes + tail_bytes;
  if (json_bytes > manifest_bytes_max || json_bytes + around > *size)
    return damaged(path, "has a manifest of no possible size");
  auto json = read_exactly(file, *size - tail_bytes - json_bytes, json_bytes);
  if (!json) return std::move(json).error();
  if (json->size() != json_bytes || crc32c(json->data(), json->size()) != u32_at(*tail, 4))
    return damaged(path, "has a damaged manifest");
  auto head = read_exactly(file, *size - around - json_bytes, frame_head_bytes);
  if (!head) return std::move(head).error();
  if (head->size() != frame_head_bytes || u32_at(*head, 0) != skippable_magic ||
      u32_at(*head, 4) != json_bytes + tail_bytes)
    return damaged(path, "has a damaged frame around its manifest");
  auto manifest = manifest_from_json(*json);
  if (!manifest) return damaged(path, "has a manifest that was not readable");
  if (manifest->compressed_bytes != *size - around - json_bytes)
    return damaged(path, "is not as long as its manifest says");
  return manifest;
}

}  // namespace

Result<void> write_archive(Disk& disk, const std::string& database, const std::string& path,
                           DayManifest& manifest, const Spend& spend) {
  auto flow = make_compressor();
  if (!flow) return std::move(flow).error();
  auto from = disk.open(database, Disk::Open::read);
  if (!from) return std::move(from).error();
  auto to = open_empty(disk, path);
  if (!to) return std::move(to).error();
  Appending written{**to};
  std::string made;
  manifest.database_bytes = 0;
  for (bool is_over = false; !is_over;) {
    auto piece = read_exactly(**from, manifest.database_bytes, chunk_bytes);
    if (!piece) return std::move(piece).error();
    is_over = piece->size() < chunk_bytes;
    manifest.database_bytes += piece->size();
    made.clear();
    constexpr std::size_t made_max = 64U << 20;  // no limit of the input: a compressor's buffer
    auto done = (*flow)->put(*piece, made_max, made);
    if (done && is_over) done = (*flow)->finish(made_max, made);
    if (!done) return done;
    if (done = written.append(made); !done) return done;
    if (done = spend(piece->size() + made.size()); !done) return done;
  }
  manifest.compressed_bytes = written.bytes;
  manifest.compressed_crc = written.crc;

  const std::string json = manifest_to_json(manifest);
  if (json.size() > manifest_bytes_max)
    return Error{ErrorCode::limit, "the manifest of \"" + path + "\" was longer than 16 MiB"};
  std::string frame;
  append_u32(frame, skippable_magic);
  append_u32(frame, static_cast<std::uint32_t>(json.size() + tail_bytes));
  frame += json;
  append_u32(frame, static_cast<std::uint32_t>(json.size()));
  append_u32(frame, crc32c(json.data(), json.size()));
  frame += tail_magic;
  if (auto done = written.append(frame); !done) return done;
  return (*to)->sync();
}

Result<DayManifest> read_manifest(Disk& disk, const std::string& path) {
  auto file = disk.open(path, Disk::Open::read);
  if (!file) return std::move(file).error();
  return read_manifest_of(**file, path);
}

Result<DayManifest> expand_archive(Disk& disk, const std::string& path, const std::string& database,
                                   const Spend& spend) {
  auto from = disk.open(path, Disk::Open::read);
  if (!from) return std::move(from).error();
  auto manifest = read_manifest_of(**from, path);
  if (!manifest) return manifest;
  auto flow = make_expander();
  if (!flow) return std::move(flow).error();
  auto to = open_empty(disk, database);
  if (!to) return std::move(to).error();
  Appending written{**to};
  std::string made;
  std::uint32_t crc = 0;
  for (std::uint64_t at = 0; at < manifest->compressed_bytes;) {
    const std::uint64_t left = manifest->compressed_bytes - at;
    // Few bytes may become many, which all have to be held: small pieces keep that bounded.
    constexpr std::uint64_t piece_bytes = 1U << 12;
    auto piece = read_exactly(**from, at, std::min(left, piece_bytes));
    if (!piece) return std::move(piece).error();
    if (piece->empty()) return damaged(path, "was cut off");
    at += piece->size();
    crc = crc32c(piece->data(), piece->size(), crc);
    made.clear();
    const std::uint64_t made_max = manifest->database_bytes - written.bytes;
    if (auto done = (*flow)->put(*piece, made_max, made); !done)
      return damaged(path, "was not readable: " + std::move(done).error().message);
    if (auto done = written.append(made); !done) return std::move(done).error();
    if (auto done = spend(piece->size() + made.size()); !done) return std::move(done).error();
  }
  if (crc != manifest->compressed_crc) return damaged(path, "has another CRC than was written");
  made.clear();
  if (auto done = (*flow)->finish(0, made); !done) return damaged(path, "was cut off");
  if (written.bytes != manifest->database_bytes)
    return damaged(path, "holds fewer bytes than were written");
  if (auto done = (*to)->sync(); !done) return std::move(done).error();
  return manifest;
}

}  // namespace tandem::cdr
