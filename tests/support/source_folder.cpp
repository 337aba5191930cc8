// The only file that is compiled with the folder's name: every other compiles alike wherever the
// sources lie, so that a compiler cache serves all of them.
#include "support/source_folder.hpp"

namespace tandem::test {

const std::string& source_folder() {
  static const std::string folder = TANDEM_SOURCE_DIR;
  return folder;
}

}  // namespace tandem::test
