/* A folder of its own for each test program, gone at its end. */
#ifndef TANDEM_TESTS_FOLDER_H
#define TANDEM_TESTS_FOLDER_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[64];

static inline void folder_make(void) {
  strcpy(folder, "/tmp/tandem-capi-XXXXXX");
  if (mkdtemp(folder) == NULL) {
    perror("mkdtemp");
    exit(1);
  }
}

static inline void folder_empty(const char* path) {
  DIR* const directory = opendir(path);
  struct dirent* entry;
  char name[1024];
  if (directory == NULL) return;
  while ((entry = readdir(directory)) != NULL) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    const int length = snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
    if (length < 0 || (size_t)length >= sizeof name) continue;
    if (unlink(name) != 0) folder_empty(name);
  }
  closedir(directory);
  rmdir(path);
}

static inline const char* folder_path(const char* name) {
  static char path[256];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}

#endif
