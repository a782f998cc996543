// A machine with a battery and no supply that is online runs on the battery. Batteries of mice and
// the like (scope "Device") are none of the machine's.
#include "power.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

static const char FOLDER[] = "/sys/class/power_supply";

static bool file_says(const char *supply, const char *name, const char *wanted)
{
    char path[512], line[64] = "";
    snprintf(path, sizeof path, "%s/%.200s/%s", FOLDER, supply, name);
    FILE *file = fopen(path, "re");
    if (!file) return false;
    bool ok = fgets(line, sizeof line, file) != NULL;
    fclose(file);
    line[strcspn(line, "\n")] = '\0';
    return ok && strcmp(line, wanted) == 0;
}

bool power_is_on_battery(void)
{
    bool battery = false, online = false;
    DIR *folder = opendir(FOLDER);
    if (!folder) return false;
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (entry->d_name[0] == '.' || file_says(entry->d_name, "scope", "Device")) continue;
        if (file_says(entry->d_name, "type", "Battery"))
            battery = battery || file_says(entry->d_name, "status", "Discharging");
        else
            online = online || file_says(entry->d_name, "online", "1");
    }
    closedir(folder);
    return battery && !online;
}
