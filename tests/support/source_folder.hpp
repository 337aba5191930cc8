// Where the sources of the project lie, for tests that read files of it or beside it.
#pragma once

#include <string>

namespace tandem::test {

/// Without a '/' at the end.
const std::string& source_folder();

}  // namespace tandem::test
