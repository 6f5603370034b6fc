/*
 * Runs a command line in this console and sends it the console's events: each file press-c or press-break that appears in
 * the working folder is taken away and sent as Ctrl+C or Ctrl+Break. Exits as the command does.
 */
#include <stdio.h>
#include <windows.h>

static BOOL WINAPI ignore(DWORD event) {
  (void)event;
  return TRUE;
}

int main(int count, char **arguments) {
  STARTUPINFOA startup = {sizeof startup};
  PROCESS_INFORMATION process;
  DWORD status;

  if (count != 2) return 64;
  /* The events reach every process of the console, this one too. */
  SetConsoleCtrlHandler(ignore, TRUE);
  if (!CreateProcessA(NULL, arguments[1], NULL, NULL, TRUE, 0, NULL, NULL, &startup, &process)) return 69;
  while (WaitForSingleObject(process.hProcess, 10) == WAIT_TIMEOUT) {
    if (DeleteFileA("press-c")) GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0);
    if (DeleteFileA("press-break")) GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, 0);
  }
  GetExitCodeProcess(process.hProcess, &status);
  return (int)status;
}
