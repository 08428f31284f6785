/** Who looks, what that person may do, and how an action went, in English. */
import type { frAccess } from './fr-access';

export const enAccess: typeof frAccess = {
  act: {
    busy: 'Working…',
    refused: (reason) => `Refused: ${reason}`,
    save: 'Save',
    cancel: 'Cancel',
    next: 'Next',
    more: 'Show older',
    every: 'All',
    everySite: 'every site',
    yes: 'yes',
    no: 'no',
  },
  access: {
    title: 'Log in',
    intro: 'Your SQAL name and password. A session lasts 12 hours.',
    name: 'Name',
    password: 'Password',
    logIn: 'Log in',
    logOut: 'Log out',
    demo: 'Demonstration',
    linkHelp:
      'No password? Open the login link that an administrator gave you: it works once. In the demonstration, the console that runs “sqal demo” shows the link.',
    linkUsed: 'This login link was used already, or it is too old. Ask for another one.',
    roles: { viewer: 'viewer', operator: 'operator', admin: 'administrator' },
    needs: (role) => `This needs the role ${role}.`,
  },
};
